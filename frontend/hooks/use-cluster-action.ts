import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Cluster } from "@/lib/api/client";
import { asProblem, type ApiProblem } from "@/lib/api/problem";
import { rememberCluster } from "@/lib/api/queries";

interface ClusterAction {
  busy: boolean;
  /** Resolves to whether it was done. */
  run: () => Promise<boolean>;
}

/** Something that one asks of a cluster; its answer, a cluster, is remembered. Null: it is gone. */
export function useClusterAction(ask: () => Promise<Cluster | null>, onProblem: (problem: ApiProblem | null) => void): ClusterAction {
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    onProblem(null);
    try {
      const cluster = await ask();
      if (cluster) rememberCluster(client, cluster);
      return true;
    } catch (error) {
      onProblem(asProblem(error));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, run };
}
