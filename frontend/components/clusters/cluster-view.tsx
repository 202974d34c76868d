"use client";

import { useQuery } from "@tanstack/react-query";
import { ResourcesTab } from "@/components/shell/lazy";
import { useSearchParams } from "next/navigation";
import { TerminalTab } from "@/components/shell/lazy-terminal";
import { LabLink } from "@/components/shell/lab-link";
import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/notice";
import { Tabs } from "@/components/ui/tabs";
import { useClusterHistory } from "@/hooks/use-stream";
import { useTab } from "@/hooks/use-tab";
import { useTitle } from "@/hooks/use-title";
import type { Cluster } from "@/lib/api/client";
import { asProblem } from "@/lib/api/problem";
import { queries } from "@/lib/api/queries";
import { stateOf } from "@/lib/text/words";
import { AccessTab } from "./access-tab";
import { BuildTab } from "./build-tab";
import { ClusterHeader } from "./cluster-header";
import { EventsTab } from "./events-tab";
import { SettingsTab } from "./settings-tab";

type Tab = "build" | "resources" | "access" | "terminal" | "events" | "settings";

const TABS: { value: Tab; label: string }[] = [
  { value: "build", label: "Build" },
  { value: "resources", label: "Resources" },
  { value: "access", label: "Access" },
  { value: "terminal", label: "Terminal" },
  { value: "events", label: "Events" },
  { value: "settings", label: "Settings" },
];

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** One cluster. `id` is an id, or a name that somebody typed. */
export function ClusterView({ id }: { id: string }) {
  const asked = useQuery(queries.cluster(id));
  const listed = useQuery({ ...queries.clusters(), enabled: false }).data?.find((cluster) => cluster.id === id || cluster.name === id);
  const realId = UUID.test(id) ? id : (asked.data?.id ?? null);
  // The stream writes under the id: a view opened by name reads there too.
  const followed = useQuery({ ...queries.cluster(realId ?? id), enabled: false }).data;
  const cluster = followed ?? asked.data ?? listed;

  if (cluster) return <KnownCluster cluster={cluster} />;
  if (asked.isError) {
    const problem = asProblem(asked.error);
    return (
      <div className="mx-auto max-w-[520px] py-16">
        <Notice
          tone={problem.status === 404 ? "plain" : "bad"}
          title={problem.status === 404 ? "No such cluster" : problem.title}
          action={problem.status === 404 ? undefined : <Button onClick={() => void asked.refetch()}>Try again</Button>}
        >
          {problem.status === 404 ? (
            <>
              There is none with this address, or it belongs to somebody else.{" "}
              <LabLink href="/" className="text-accent underline underline-offset-2">
                All clusters
              </LabLink>
            </>
          ) : (
            problem.words
          )}
        </Notice>
      </div>
    );
  }
  return <ViewSkeleton />;
}

function KnownCluster({ cluster }: { cluster: Cluster }) {
  const history = useClusterHistory(cluster.id);
  const [tab, setTab] = useTab<Tab>(TABS, "build");
  const asked = useSearchParams();
  useTitle(cluster.name);
  return (
    <>
      <ClusterHeader cluster={cluster} onAccess={() => setTab("access")} />
      <p className="sr-only" role="status">
        {cluster.name}: {stateOf(cluster)}
      </p>
      <div className="mt-6">
        <Tabs label={`About ${cluster.name}`} tabs={TABS} value={tab} onChange={setTab}>
          {tab === "build" ? <BuildTab cluster={cluster} history={history} /> : null}
          {tab === "resources" ? <ResourcesTab cluster={cluster} history={history} /> : null}
          {tab === "access" ? <AccessTab cluster={cluster} history={history} /> : null}
          {tab === "terminal" ? <TerminalTab cluster={cluster} pod={asked.get("pod")} container={asked.get("container")} onOpened={() => setTab("terminal")} /> : null}
          {tab === "events" ? <EventsTab cluster={cluster} history={history} /> : null}
          {tab === "settings" ? <SettingsTab cluster={cluster} /> : null}
        </Tabs>
      </div>
    </>
  );
}

function ViewSkeleton() {
  return (
    <div aria-busy="true" role="status" aria-label="Loading the cluster">
      <div className="skeleton h-4 w-40" />
      <div className="skeleton mt-3 h-8 w-72 max-w-full" />
      <div className="mt-12 grid gap-5 lg:grid-cols-[280px_1fr]">
        <div className="skeleton h-80" />
        <div className="skeleton h-110" />
      </div>
    </div>
  );
}
