"use client";

import { Button } from "@/components/ui/button";
import { useClusterAction } from "@/hooks/use-cluster-action";
import { api, type Cluster } from "@/lib/api/client";
import type { ApiProblem } from "@/lib/api/problem";
import { coarse } from "@/lib/text/time";

interface ExtendButtonProps {
  cluster: Cluster;
  onProblem: (problem: ApiProblem | null) => void;
}

/** Makes the lease longer by what it was at first, an hour at most. */
export function ExtendButton({ cluster, onProblem }: ExtendButtonProps) {
  const seconds = Math.min(cluster.ttl_seconds, 3600);
  const { busy, run } = useClusterAction(() => api.extendCluster(cluster.id, seconds), onProblem);
  return (
    <Button size="sm" look="ghost" className="-ml-2" disabled={busy} onClick={() => void run()} aria-label={`Extend by ${coarse(seconds)}`}>
      + {coarse(seconds)}
    </Button>
  );
}

/** The same in words, where the end is near. */
export function ExtendByHour({ cluster, onProblem }: ExtendButtonProps) {
  const { busy, run } = useClusterAction(() => api.extendCluster(cluster.id, 3600), onProblem);
  return (
    <Button size="sm" disabled={busy} onClick={() => void run()}>
      Extend 1 h
    </Button>
  );
}
