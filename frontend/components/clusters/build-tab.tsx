"use client";

import { useQuery } from "@tanstack/react-query";
import { LogPanel } from "@/components/log/log-panel";
import { CommandLine } from "@/components/ui/command-line";
import type { Cluster } from "@/lib/api/client";
import { queries } from "@/lib/api/queries";
import type { HistoryView } from "@/lib/stream/cluster-history";
import { expectedFor } from "@/lib/text/forecast";
import { contextOf } from "@/lib/text/words";
import { FailurePanel } from "./failure-panel";
import { HandoverNote } from "./handover-note";
import { StepsRail } from "./steps-rail";
import { Timeline } from "./timeline";

/** How the cluster came to be: the steps beside the log, and when each of them was. A failed one opens on the explanation. */
export function BuildTab({ cluster, history }: { cluster: Cluster; history: HistoryView }) {
  const template = useQuery(queries.templates()).data?.items.find((item) => item.name === cluster.template);
  const expected = expectedFor(cluster, template);
  const usable = cluster.phase === "ready" || cluster.phase === "paused";
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-5">
      {cluster.failure ? <FailurePanel cluster={cluster} failure={cluster.failure} /> : null}
      {usable ? <UseIt cluster={cluster} /> : null}
      {isHandedOver(cluster, history) ? (
        <HandoverNote cluster={cluster} expected={expected} />
      ) : (
        <>
          <div className="grid gap-5 lg:grid-cols-[280px_minmax(0,1fr)]">
            <StepsRail cluster={cluster} history={history} expected={expected} />
            <LogPanel cluster={cluster} history={history} />
          </div>
          <Timeline cluster={cluster} history={history} expected={expected} />
        </>
      )}
    </div>
  );
}

/** One from the pool that did not wake up is built after all, with steps and a log. */
function isHandedOver(cluster: Cluster, history: HistoryView): boolean {
  return cluster.from_pool && cluster.failure === null && history.steps.length === 0 && history.lineCount === 0;
}

/** What one does next with a cluster that is ready, or wakes when it is used. */
function UseIt({ cluster }: { cluster: Cluster }) {
  return (
    <section aria-label="Use it" className="appear grid gap-2 md:grid-cols-2 md:gap-3">
      <CommandLine command={`pyk8s kubeconfig merge ${cluster.name}`} label="Add it to your kubeconfig" />
      <CommandLine command={`kubectl --context ${contextOf(cluster.name)} get nodes`} label="Use it" />
    </section>
  );
}
