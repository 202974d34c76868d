"use client";

import { useMemo, useState } from "react";
import { PauseButton } from "@/components/clusters/pause-button";
import { ImagesSection } from "@/components/images/images-section";
import { ClosableNotice } from "@/components/ui/closable-notice";
import { Choice } from "@/components/ui/choice";
import { InlineCommand } from "@/components/ui/command-line";
import { inputClasses } from "@/components/ui/field";
import { Notice } from "@/components/ui/notice";
import { useNow } from "@/hooks/use-now";
import { useResources } from "@/hooks/use-resources";
import type { Cluster } from "@/lib/api/client";
import type { ApiProblem } from "@/lib/api/problem";
import type { Reading } from "@/lib/resources/reading";
import type { PodRow, ResourcesView } from "@/lib/resources/reduce";
import { eventsOf, group, matches, type Group } from "@/lib/resources/select";
import type { HistoryView } from "@/lib/stream/cluster-history";
import { classes } from "@/lib/text/classes";
import { sentence } from "@/lib/text/sentence";
import { timeOfDay } from "@/lib/text/time";
import { GroupTable } from "./group-table";
import { PodPanel } from "./pod-panel";

/** What is inside the cluster: its objects, live, and the images of its nodes. */
export function ResourcesTab({ cluster, history }: { cluster: Cluster; history: HistoryView }) {
  const isUp = cluster.phase === "ready" || cluster.phase === "paused";
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-8">
      <Objects cluster={cluster} />
      {isUp ? <ImagesSection key={cluster.id} cluster={cluster} history={history} /> : null}
    </div>
  );
}

function Objects({ cluster }: { cluster: Cluster }) {
  if (cluster.driver === "simulated") {
    return (
      <Notice tone="warn" title="This cluster is simulated">
        There are no nodes or pods in it that could be shown. On a server with Docker and kind they are here.
      </Notice>
    );
  }
  if (cluster.phase === "paused") return <Paused cluster={cluster} />;
  if (cluster.phase !== "ready") return <NotReady cluster={cluster} />;
  return <Inside key={cluster.id} cluster={cluster} />;
}

function NotReady({ cluster }: { cluster: Cluster }) {
  const words = {
    pending: "What is inside is shown as soon as the cluster is ready.",
    provisioning: "What is inside is shown as soon as the cluster is ready.",
    paused: "",
    failed: "The cluster failed, so there is nothing inside. The tab Build says why.",
    deleting: "The cluster is being deleted.",
    deleted: "The cluster is deleted.",
    ready: "",
  }[cluster.phase];
  return <p className="rounded-lg border border-line bg-surface px-4 py-10 text-center text-muted">{words}</p>;
}

/** Looking into a cluster does not wake it: that is for whoever uses it, or asks for it here. */
function Paused({ cluster }: { cluster: Cluster }) {
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  return (
    <div className="grid gap-4">
      <div className="grid justify-items-center gap-4 rounded-lg border border-line bg-surface px-4 py-10 text-center text-muted">
        <p>The cluster is paused: nothing in it runs, so there is nothing to look at. Once it goes on, it is here by itself.</p>
        <PauseButton cluster={cluster} onProblem={setProblem} />
      </div>
      {problem ? <ClosableNotice title={problem.title} words={problem.words} onClose={() => setProblem(null)} /> : null}
    </div>
  );
}

function Inside({ cluster }: { cluster: Cluster }) {
  const { view, reading } = useResources(cluster.id);
  const now = useNow(1000);
  const [chosen, setChosen] = useState<Group>("pods");
  const [namespace, setNamespace] = useState("");
  const [words, setWords] = useState("");
  const [open, setOpen] = useState<PodRow | null>(null);
  const grouped = useMemo(() => group(view), [view]);
  const count = (title: string, rows: readonly unknown[]) => (view.known ? `${title} ${rows.length}` : title);
  const latest = open ? view.rows.get(open.uid) : undefined;
  const pod = latest?.kind === "Pod" ? latest : open;

  if (reading.status === "refused") {
    return (
      <Notice tone="warn" title={reading.problem.title}>
        {reading.problem.words}
      </Notice>
    );
  }
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-4">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-3">
        <Choice
          legend="What to show"
          hideLegend
          value={chosen}
          onChange={setChosen}
          options={[
            { value: "pods", label: count("Pods", grouped.pods) },
            { value: "workloads", label: count("Workloads", grouped.workloads) },
            { value: "services", label: count("Services", grouped.services) },
            { value: "nodes", label: count("Nodes", grouped.nodes) },
            { value: "events", label: count("Events", grouped.events) },
          ]}
        />
        <div className="flex min-w-0 grow gap-2 max-sm:basis-full md:max-w-110 md:ml-auto">
          <select aria-label="Namespace" value={namespace} onChange={(event) => setNamespace(event.target.value)} className={classes(inputClasses, "min-w-0 basis-1/2")}>
            <option value="">All namespaces</option>
            {grouped.namespaces.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
          <input type="search" aria-label="Filter" placeholder="Filter" value={words} onChange={(event) => setWords(event.target.value)} className={classes(inputClasses, "min-w-0 basis-1/2")} />
        </div>
      </div>
      <State view={view} reading={reading} />
      {view.known ? (
        <div className={classes("grid grid-cols-[minmax(0,1fr)] gap-3", view.away && "opacity-60")}>
          <GroupTable
            key={`${chosen} ${namespace} ${words}`}
            chosen={chosen}
            grouped={grouped}
            more={view.more}
            isFiltered={namespace !== "" || words !== ""}
            isShown={(row) => matches(row, namespace, words)}
            now={now}
            onOpenPod={setOpen}
          />
        </div>
      ) : (
        <Waiting away={view.away !== null} />
      )}
      <p className="text-sm text-muted">
        For everything else, kubectl, k9s and Headlamp take the kubeconfig: <InlineCommand command={`pyk8s kubeconfig merge ${cluster.name}`} />
      </p>
      {pod ? <PodPanel clusterId={cluster.id} pod={pod} isGone={latest === undefined} events={eventsOf(view, pod)} onClose={() => setOpen(null)} /> : null}
    </div>
  );
}

/** Whether what is shown is true now. */
function State({ view, reading }: { view: ResourcesView; reading: Reading }) {
  if (view.away) {
    return (
      <Notice tone="warn" title={view.known ? `Not true any more, perhaps: no answer since ${timeOfDay(view.away.at)}` : "The cluster does not answer"}>
        {sentence(view.away.detail)} It is asked again and again; the page goes on by itself.
      </Notice>
    );
  }
  const live = reading.status === "live" && view.known;
  const text = view.ended ? "The cluster is deleted" : live ? "Live" : reading.status === "waiting" ? "Reconnecting" : "Connecting";
  return (
    <p role="status" className={classes("flex items-center gap-2 text-sm", reading.status === "waiting" ? "font-medium text-warn" : "text-muted")}>
      {live ? <span aria-hidden="true" className="size-1.5 rounded-full bg-good" /> : null}
      {text}
    </p>
  );
}

function Waiting({ away }: { away: boolean }) {
  if (away) return null;
  return (
    <div aria-busy="true" role="status" aria-label="Loading what is inside" className="grid gap-2">
      {[0, 1, 2, 3].map((row) => (
        <div key={row} className="skeleton h-11" />
      ))}
    </div>
  );
}
