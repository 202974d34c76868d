import type { Cluster } from "@/lib/api/client";

export interface Doubt {
  /** What is not as it should be, without a full stop. */
  what: string;
  /** Since when; the cluster was last known ready before. */
  since: string;
  reason: string;
  /** Nobody can tell, against: it is known not to be ready. */
  unknown: boolean;
}

/** What speaks against a cluster that is called ready; null when nothing does. */
export function doubtOf(cluster: Cluster): Doubt | null {
  if (cluster.phase !== "ready") return null;
  const ready = cluster.conditions.find((condition) => condition.type === "Ready");
  if (!ready || ready.status === "True") return null;
  const unknown = ready.status === "Unknown";
  const words = ready.message || (unknown ? "Nobody can tell whether it answers" : "The cluster does not answer");
  const what = words.charAt(0).toUpperCase() + words.slice(1).replace(/\.$/, "");
  return { what, since: ready.last_transition_time, reason: ready.reason, unknown };
}
