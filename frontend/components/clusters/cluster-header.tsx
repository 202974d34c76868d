"use client";

import { useState } from "react";
import { LabLink } from "@/components/shell/lab-link";
import { CancelDialog, DeleteDialog } from "@/components/shell/lazy";
import { SimulatedTag } from "@/components/shell/simulated-bar";
import { Button, ButtonLink } from "@/components/ui/button";
import { ClosableNotice } from "@/components/ui/closable-notice";
import { DownloadIcon } from "@/components/ui/icons";
import { useNow } from "@/hooks/use-now";
import { fileUrl, type Cluster } from "@/lib/api/client";
import type { ApiProblem } from "@/lib/api/problem";
import { coarse, secondsBetween } from "@/lib/text/time";
import { kubernetesOf, plural } from "@/lib/text/words";
import { DoubtNotice } from "./doubt-notice";
import { ExtendButton } from "./extend-button";
import { Lease } from "./lease";
import { LeaseBar } from "./lease-bar";
import { PauseButton } from "./pause-button";
import { PausedNote } from "./paused-note";
import { PhaseLabel } from "./phase-label";
import { RetryButton } from "./retry-button";

export function ClusterHeader({ cluster, onAccess }: { cluster: Cluster; onAccess: () => void }) {
  const [asking, setAsking] = useState<"cancel" | "delete" | null>(null);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const now = useNow(1000);
  const building = cluster.phase === "pending" || cluster.phase === "provisioning";
  const usable = cluster.phase === "ready" || cluster.phase === "paused";
  const gone = cluster.phase === "deleting" || cluster.phase === "deleted";
  const facts = [
    cluster.template,
    `Kubernetes ${kubernetesOf(cluster)}`,
    plural(cluster.control_planes + cluster.workers, "node"),
    `created by ${cluster.owner}, ${coarse(secondsBetween(cluster.created_at, now))} ago`,
  ];
  return (
    <header>
      <nav aria-label="Where this is" className="text-muted">
        <LabLink href="/" className="rounded-sm hover:text-text">
          Clusters
        </LabLink>
        <span aria-hidden="true"> / </span>
        <span className="text-text">{cluster.name}</span>
      </nav>
      <div className="mt-2 flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
        <div className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1">
          <h1 className="text-xl font-semibold">{cluster.name}</h1>
          <PhaseLabel cluster={cluster} />
          {cluster.driver === "simulated" ? <SimulatedTag /> : null}
        </div>
        <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
          <Lease cluster={cluster} now={now} />
          {usable ? (
            <>
              <ExtendButton cluster={cluster} onProblem={setProblem} />
              <PauseButton cluster={cluster} onProblem={setProblem} />
              <Button onClick={onAccess} className="max-sm:hidden">
                Connect
              </Button>
              <ButtonLink href={fileUrl.kubeconfig(cluster.id)} download>
                <DownloadIcon />
                kubeconfig
              </ButtonLink>
            </>
          ) : null}
          {cluster.phase === "failed" ? <RetryButton cluster={cluster} onProblem={setProblem} /> : null}
          {building ? <Button onClick={() => setAsking("cancel")}>Cancel</Button> : null}
          {gone || building ? null : (
            <Button look="danger" onClick={() => setAsking("delete")}>
              Delete
            </Button>
          )}
        </div>
      </div>
      <div className="mt-2 overflow-hidden">
        {/* Each fact has its dot on the left; those at the start of a line are cut off. */}
        <ul className="-ml-6 flex flex-wrap text-muted">
          {facts.map((fact, index) => (
            <li key={index} className="relative pl-6 before:absolute before:left-2.5 before:text-faint before:content-['·']">
              {fact}
            </li>
          ))}
        </ul>
      </div>
      <LeaseBar cluster={cluster} now={now} />
      {cluster.phase === "paused" ? <PausedNote cluster={cluster} /> : null}
      <DoubtNotice cluster={cluster} now={now} />
      {problem ? (
        <div className="mt-4">
          <ClosableNotice title={problem.title} words={problem.words} onClose={() => setProblem(null)} />
        </div>
      ) : null}
      {/* A cluster that is ready meanwhile has nothing to cancel any more. */}
      {asking === "cancel" && building ? <CancelDialog cluster={cluster} onClose={() => setAsking(null)} /> : null}
      {asking === "delete" ? <DeleteDialog cluster={cluster} onClose={() => setAsking(null)} /> : null}
    </header>
  );
}
