import type { Cluster, Failure } from "@/lib/api/client";

/** Whether somebody wanted it to end so: that is no alarm. */
export function isCancelled(failure: Failure | null): boolean {
  return failure?.code === "cancelled";
}

/** Whether there is something to download: it is collected when a create fails by itself, and goes with the cluster. */
export function hasEvidence(cluster: Cluster): boolean {
  return cluster.phase === "failed" && cluster.failure !== null && !isCancelled(cluster.failure);
}

/** What to do. Where no rule knew the failure, what this page offers for it. */
export function adviceOf(failure: Failure): string {
  if (failure.code !== "unexplained") return failure.fix;
  return "Read the log below, where the first error usually tells most. Retry often helps when the host was busy; if it fails again, the evidence tells more";
}

/** The address of the documentation; null for a path in the repository, which no browser can open. */
export function docsLink(docs: string): string | null {
  return /^https?:\/\//.test(docs) ? docs : null;
}
