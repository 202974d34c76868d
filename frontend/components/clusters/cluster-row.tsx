"use client";

import { Button, ButtonLink } from "@/components/ui/button";
import { LabLink } from "@/components/shell/lab-link";
import { SimulatedTag } from "@/components/shell/simulated-bar";
import { navigate } from "@/hooks/use-route";
import { fileUrl, type Cluster } from "@/lib/api/client";
import type { ApiProblem } from "@/lib/api/problem";
import { classes } from "@/lib/text/classes";
import { isCancelled } from "@/lib/text/failure";
import { doubtOf } from "@/lib/text/health";
import { urgencyOf } from "@/lib/text/lease";
import { handoverTime } from "@/lib/text/pool";
import { coarse, fine, left, secondsBetween, secondsLeft } from "@/lib/text/time";
import { kubernetesOf, plural, upperFirst } from "@/lib/text/words";
import { labelsOf } from "./filters";
import { LEASE_TEXT } from "./lease";
import { PhaseLabel, ProgressLine } from "./phase-label";
import { RetryButton } from "./retry-button";

interface ClusterRowProps {
  cluster: Cluster;
  now: number;
  onAsk: (to: "cancel" | "delete") => void;
  onProblem: (problem: ApiProblem | null) => void;
}

const cell = "px-4 py-3 align-middle max-md:block max-md:px-0 max-md:py-0";

export function ClusterRow({ cluster, now, onAsk, onProblem }: ClusterRowProps) {
  const href = `/clusters/${cluster.id}`;
  const nodes = cluster.control_planes + cluster.workers;
  return (
    <tr
      data-cluster={cluster.name}
      onClick={(event) => {
        // The whole row opens, but not where something else is to be done.
        if (!(event.target as Element).closest("a, button") && window.getSelection()?.isCollapsed !== false) navigate(href);
      }}
      className="group cursor-pointer border-b border-line transition-[background] last:border-b-0 hover:bg-raised/50 max-md:grid max-md:grid-cols-[1fr_auto] max-md:gap-x-3 max-md:gap-y-1 max-md:px-4 max-md:py-3.5"
    >
      <td className={`${cell} max-md:col-span-2`}>
        <span className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <LabLink href={href} className="rounded-sm font-medium group-hover:underline underline-offset-3 decoration-line-strong">
            {cluster.name}
          </LabLink>
          {cluster.driver === "simulated" ? <SimulatedTag /> : null}
        </span>
        <span className="block text-sm text-faint">
          {[cluster.template, kubernetesOf(cluster), ...labelsOf(cluster)].join(" · ")}
        </span>
      </td>
      <td className={`${cell} max-md:col-span-2 max-md:py-1`}>
        <span className="inline-grid max-w-full gap-0.5">
          <PhaseLabel cluster={cluster} />
          <StateNote cluster={cluster} now={now} />
        </span>
      </td>
      <td className={`${cell} max-md:hidden`}>{nodes}</td>
      <td className={`${cell} whitespace-nowrap max-md:hidden`}>{coarse(secondsBetween(cluster.created_at, now))}</td>
      <td className={`${cell} whitespace-nowrap max-md:self-center`}>
        <span className="text-muted md:hidden">
          {plural(nodes, "node")}
          {hasTimeLeft(cluster) ? " · " : ""}
        </span>
        {hasTimeLeft(cluster) ? <TimeLeft cluster={cluster} now={now} /> : <span className="text-faint max-md:hidden">–</span>}
      </td>
      <td className={`${cell} text-right`}>
        <span className="inline-flex justify-end gap-1.5">
          {cluster.phase === "ready" || cluster.phase === "paused" ? (
            <ButtonLink size="sm" href={fileUrl.kubeconfig(cluster.id)} download aria-label={`Download the kubeconfig of ${cluster.name}`}>
              kubeconfig
            </ButtonLink>
          ) : null}
          {cluster.phase === "failed" ? (
            <>
              <Button size="sm" onClick={() => navigate(href)} aria-label={isCancelled(cluster.failure) ? `Open the log of ${cluster.name}` : `Why ${cluster.name} failed`}>
                {isCancelled(cluster.failure) ? "Log" : "Why"}
              </Button>
              <RetryButton cluster={cluster} onProblem={onProblem} inRow />
            </>
          ) : null}
          {cluster.phase === "deleting" || cluster.phase === "deleted" ? (
            <Button size="sm" onClick={() => navigate(href)} aria-label={`Open the log of ${cluster.name}`}>
              Log
            </Button>
          ) : cluster.phase === "pending" || cluster.phase === "provisioning" ? (
            <Button size="sm" onClick={() => onAsk("cancel")} aria-label={`Cancel the build of ${cluster.name}`}>
              Cancel
            </Button>
          ) : (
            <Button size="sm" look="danger" onClick={() => onAsk("delete")} aria-label={`Delete ${cluster.name}`}>
              Delete
            </Button>
          )}
        </span>
      </td>
    </tr>
  );
}

function StateNote({ cluster, now }: { cluster: Cluster; now: number }) {
  if (cluster.phase === "provisioning") {
    return <ProgressLine percent={cluster.progress?.percent ?? 0} className="mt-1.5 min-w-44" />;
  }
  const doubt = doubtOf(cluster);
  if (doubt) return <span className="text-sm text-warn">{doubt.what}; last known ready</span>;
  const note = noteOf(cluster, now);
  return note ? <span className="text-sm text-faint">{note}</span> : null;
}

function noteOf(cluster: Cluster, now: number): string | null {
  if (cluster.phase === "pending") return cluster.queue ? upperFirst(cluster.queue.reason) : null;
  if (cluster.phase === "failed") return isCancelled(cluster.failure) ? "its log is kept" : "cause, fix and log kept";
  if (cluster.phase === "deleted" && cluster.deleted_at) return `${coarse(secondsBetween(cluster.deleted_at, now))} ago`;
  if (cluster.phase === "paused") return "wakes when it is used";
  if (cluster.phase !== "ready" || !cluster.ready_at) return null;
  const took = secondsBetween(cluster.created_at, cluster.ready_at);
  return cluster.from_pool ? `from the pool in ${handoverTime(took)}` : `built in ${fine(took)}`;
}

function hasTimeLeft({ phase }: Cluster): boolean {
  return phase !== "deleting" && phase !== "deleted" && phase !== "failed";
}

function TimeLeft({ cluster, now }: { cluster: Cluster; now: number }) {
  if (!cluster.expires_at) return <span className="text-faint">{coarse(cluster.ttl_seconds)} once ready</span>;
  const seconds = secondsLeft({ ...cluster, expires_at: cluster.expires_at }, now);
  const urgency = urgencyOf(seconds);
  return <span className={classes(urgency !== "calm" && LEASE_TEXT[urgency])}>{left(seconds)}</span>;
}
