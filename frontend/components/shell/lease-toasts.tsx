"use client";

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ExtendByHour } from "@/components/clusters/extend-button";
import { Button } from "@/components/ui/button";
import { ClockIcon, CrossIcon } from "@/components/ui/icons";
import { useLeaseWarnings } from "@/hooks/use-lease-warnings";
import { useNotifications } from "@/hooks/use-notifications";
import { useNow } from "@/hooks/use-now";
import type { Route } from "@/hooks/use-route";
import type { Cluster } from "@/lib/api/client";
import type { ApiProblem } from "@/lib/api/problem";
import { queries } from "@/lib/api/queries";
import { classes } from "@/lib/text/classes";
import { urgencyOf, warnedClusters } from "@/lib/text/lease";
import { left, secondsLeft } from "@/lib/text/time";
import { LabLink } from "./lab-link";

type Leased = Cluster & { expires_at: string };

/** Says of clusters other than the one looked at that their time is nearly over. */
export function LeaseToasts({ route }: { route: Route }) {
  const { warnings, dismiss } = useLeaseWarnings();
  const clusters = useQuery({ ...queries.clusters(), enabled: false }).data ?? [];
  const warned = warnedClusters(warnings, clusters, route.view === "cluster" ? route.id : null);
  return (
    <div role="region" aria-label="Warnings" className="fixed right-4 bottom-4 z-20 grid w-[min(360px,calc(100vw-32px))] gap-2 empty:hidden sm:right-6 sm:bottom-6">
      {warned.map((cluster) => (
        <Toast key={cluster.id} cluster={cluster} onClose={() => dismiss(cluster.id)} />
      ))}
    </div>
  );
}

function Toast({ cluster, onClose }: { cluster: Leased; onClose: () => void }) {
  const now = useNow(1000);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const [permission, ask] = useNotifications();
  const seconds = secondsLeft(cluster, now);
  return (
    <div data-toast={cluster.name} className="appear rounded-lg border border-line-strong bg-surface py-3 pr-2 pl-3.5 shadow-lg">
      {/* Said once: a countdown read aloud every second would be in the way. */}
      <p role="status" className="sr-only">
        The time of {cluster.name} is nearly over.
      </p>
      <div className="flex items-start gap-2.5">
        <ClockIcon className={classes("mt-0.5", urgencyOf(seconds) === "now" ? "text-bad" : "text-warn")} />
        <p className="min-w-0 grow">
          <LabLink href={`/clusters/${cluster.id}`} className="rounded-sm font-medium underline decoration-line-strong underline-offset-3">
            {cluster.name}
          </LabLink>{" "}
          {seconds <= 0 ? "ends now" : `ends in ${left(seconds)}`}
          <span className="block text-sm text-muted">Then it is deleted with everything in it.</span>
        </p>
        <Button size="sm" look="ghost" className="-mt-1 w-7 px-0!" aria-label={`Close the warning about ${cluster.name}`} onClick={onClose}>
          <CrossIcon />
        </Button>
      </div>
      {problem ? (
        <p role="alert" className="mt-2 pl-6.5 text-sm text-bad">
          {problem.words}
        </p>
      ) : null}
      <div className="mt-2.5 flex flex-wrap gap-2 pl-6.5">
        <ExtendByHour cluster={cluster} onProblem={setProblem} />
        {permission === "default" ? (
          <Button size="sm" look="ghost" onClick={() => void ask()}>
            Also notify me
          </Button>
        ) : null}
      </div>
    </div>
  );
}
