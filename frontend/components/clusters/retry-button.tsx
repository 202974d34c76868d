"use client";

import { Button } from "@/components/ui/button";
import { useClusterAction } from "@/hooks/use-cluster-action";
import { api, type Cluster } from "@/lib/api/client";
import type { ApiProblem } from "@/lib/api/problem";

interface RetryButtonProps {
  cluster: Cluster;
  onProblem: (problem: ApiProblem | null) => void;
  /** In a row, where the label must say which cluster is meant. */
  inRow?: boolean;
}

/** Builds a failed cluster anew, under the same name and address. */
export function RetryButton({ cluster, onProblem, inRow = false }: RetryButtonProps) {
  const { busy, run } = useClusterAction(() => api.retryCluster(cluster.id), onProblem);
  return (
    <Button size={inRow ? "sm" : "md"} disabled={busy} onClick={() => void run()} aria-label={inRow ? `Retry ${cluster.name}` : undefined}>
      Retry
    </Button>
  );
}
