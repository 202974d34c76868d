import { useEffect, useState } from "react";
import { api, type Cluster, type Phase } from "@/lib/api/client";
import type { ApiProblem } from "@/lib/api/problem";
import { useClusterAction } from "./use-cluster-action";

/** Longer than a pause takes. Somebody may have used the cluster just then, and it never comes. */
const PATIENCE_MS = 10_000;

/** Pauses a cluster that is ready, lets one go on that is paused. */
export function askForOther(cluster: Cluster): Promise<Cluster> {
  return cluster.phase === "paused" ? api.resumeCluster(cluster.id) : api.pauseCluster(cluster.id);
}

/** The way from ready to paused and back. It is pending until the stream tells that it is so. */
export function useRest(cluster: Cluster, onProblem: (problem: ApiProblem | null) => void): { pending: boolean; ask: () => void } {
  const { busy, run } = useClusterAction(() => askForOther(cluster), onProblem);
  const [askedIn, setAskedIn] = useState<Phase | null>(null);
  // It is so: a later change back is not what was asked for.
  if (askedIn !== null && askedIn !== cluster.phase) setAskedIn(null);
  useEffect(() => {
    if (askedIn === null) return;
    const timer = setTimeout(() => setAskedIn(null), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [askedIn]);

  const pending = busy || askedIn === cluster.phase;
  const ask = async () => {
    if (!pending && (await run())) setAskedIn(cluster.phase);
  };
  return { pending, ask: () => void ask() };
}
