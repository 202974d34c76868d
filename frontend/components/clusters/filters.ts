import type { Cluster, Phase } from "@/lib/api/client";

export type Filter = "all" | "building" | "ready" | "failed" | "ended";

export const FILTERS: { value: Filter; label: string }[] = [
  { value: "all", label: "All" },
  { value: "ready", label: "Ready" },
  { value: "building", label: "Building" },
  { value: "failed", label: "Failed" },
  { value: "ended", label: "Ended" },
];

const PHASES: Record<Exclude<Filter, "all">, Phase[]> = {
  building: ["pending", "provisioning"],
  ready: ["ready", "paused"],
  failed: ["failed"],
  ended: ["deleted"],
};

function inFilter(cluster: Cluster, filter: Filter): boolean {
  return filter === "all" || PHASES[filter].includes(cluster.phase);
}

/** How many living clusters a filter lets through; the ended ones are not counted. */
export function countOf(clusters: Cluster[] | undefined, filter: Filter): number | null {
  if (!clusters || filter === "ended") return null;
  return clusters.filter((cluster) => inFilter(cluster, filter)).length;
}

/** Whether a cluster passes the filter and has each word of the search in its name, template or labels. */
export function matches(cluster: Cluster, filter: Filter, search: string): boolean {
  if (!inFilter(cluster, filter)) return false;
  const text = [cluster.name, cluster.template, ...labelsOf(cluster)].join(" ").toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

export function labelsOf(cluster: Cluster): string[] {
  return Object.entries(cluster.labels).map(([key, value]) => `${key}=${value}`);
}
