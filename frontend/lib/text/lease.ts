import type { Cluster } from "@/lib/api/client";
import { leaseSeconds, secondsLeft } from "./time";

/** The server warns at these, in seconds before the end. */
const SOON_SECONDS = 600;
const NOW_SECONDS = 120;

export type Urgency = "calm" | "soon" | "now";

/** How near the end of a lease is. */
export function urgencyOf(seconds: number): Urgency {
  if (seconds < NOW_SECONDS) return "now";
  return seconds < SOON_SECONDS ? "soon" : "calm";
}

type Leased = Cluster & { expires_at: string };

/** Whether its end comes by itself. */
export function isLeased(cluster: Cluster): cluster is Leased {
  return cluster.expires_at !== null && (cluster.phase === "ready" || cluster.phase === "paused");
}

/** Whether to speak of the end without being asked. Somebody who asked for five minutes knows that they are short. */
export function endsSoon(cluster: Cluster, now: number): boolean {
  if (!isLeased(cluster)) return false;
  const urgency = urgencyOf(secondsLeft(cluster, now));
  if (urgency === "calm") return false;
  return leaseSeconds(cluster) > (urgency === "now" ? NOW_SECONDS : SOON_SECONDS);
}

/** That the server said of a cluster that its lease ends. */
export interface LeaseWarning {
  clusterId: string;
  seq: number;
  expiresAt: string;
}

/** Takes a warning in; a later one of the same cluster replaces it. */
export function withWarning(warnings: readonly LeaseWarning[], warning: LeaseWarning): LeaseWarning[] {
  return [...warnings.filter((other) => other.clusterId !== warning.clusterId), warning];
}

/** The clusters to be warned of: still there, not made longer since, and not the one that is looked at (`viewed`: its id or name). */
export function warnedClusters(warnings: readonly LeaseWarning[], clusters: readonly Cluster[], viewed: string | null): Leased[] {
  return warnings.flatMap(({ clusterId, expiresAt }) => {
    const cluster = clusters.find(({ id }) => id === clusterId);
    if (!cluster || !isLeased(cluster) || cluster.id === viewed || cluster.name === viewed) return [];
    return Date.parse(cluster.expires_at) > Date.parse(expiresAt) ? [] : [cluster];
  });
}
