"use client";

import { LogPanel } from "@/components/log/log-panel";
import { CommandLine } from "@/components/ui/command-line";
import type { Cluster } from "@/lib/api/client";
import type { HistoryView } from "@/lib/stream/cluster-history";
import { contextOf } from "@/lib/text/words";
import { FailurePanel } from "./failure-panel";
import { StepsRail } from "./steps-rail";

/** How the cluster came to be: the steps beside the log. A failed one opens on the explanation. */
export function BuildTab({ cluster, history }: { cluster: Cluster; history: HistoryView }) {
  return (
    <div className="grid gap-5">
      {cluster.failure ? <FailurePanel cluster={cluster} failure={cluster.failure} /> : null}
      {cluster.phase === "ready" ? <ReadyCommands cluster={cluster} /> : null}
      <div className="grid gap-5 lg:grid-cols-[280px_minmax(0,1fr)]">
        <StepsRail cluster={cluster} history={history} />
        <LogPanel cluster={cluster} history={history} />
      </div>
    </div>
  );
}

/** What one does next with a cluster that is ready. */
function ReadyCommands({ cluster }: { cluster: Cluster }) {
  return (
    <section aria-label="Use it" className="appear grid gap-2 md:grid-cols-2 md:gap-3">
      <CommandLine command={`pyk8s kubeconfig merge ${cluster.name}`} label="Add it to your kubeconfig" />
      <CommandLine command={`kubectl --context ${contextOf(cluster.name)} get nodes`} label="Use it" />
    </section>
  );
}
