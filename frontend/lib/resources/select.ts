import type { EventRow, Health, NodeRow, PodRow, ResourcesView, Row, ServiceRow, WorkloadRow } from "./reduce";

export type Group = "pods" | "workloads" | "services" | "nodes" | "events";

export interface Grouped {
  pods: PodRow[];
  workloads: WorkloadRow[];
  services: ServiceRow[];
  nodes: NodeRow[];
  events: EventRow[];
  namespaces: string[];
}

const WORST_FIRST: Record<Health, number> = { bad: 0, busy: 1, ok: 2, done: 3 };

/** Sorts everything into groups: what somebody should look at first, and the last event first. */
export function group(view: ResourcesView): Grouped {
  const all: Grouped = { pods: [], workloads: [], services: [], nodes: [], events: [], namespaces: [] };
  for (const row of view.rows.values()) {
    if (row.kind === "Pod") all.pods.push(row);
    else if (row.kind === "Service") all.services.push(row);
    else if (row.kind === "Node") all.nodes.push(row);
    else if (row.kind === "Event") all.events.push(row);
    else if (row.kind === "Namespace") all.namespaces.push(row.name);
    else all.workloads.push(row);
  }
  all.pods.sort(byHealth);
  all.workloads.sort(byHealth);
  all.services.sort(byName);
  all.nodes.sort(byHealth);
  all.events.sort((a, b) => (b.last_seen ?? "").localeCompare(a.last_seen ?? "") || byName(a, b));
  all.namespaces.sort();
  return all;
}

function byHealth<T extends Row & { health: Health }>(a: T, b: T): number {
  return WORST_FIRST[a.health] - WORST_FIRST[b.health] || byName(a, b);
}

/** What came with the cluster stands last: it is seldom what somebody looks for. */
const SYSTEM = /^(?:kube-.*|local-path-storage)$/;

function byName(a: Row, b: Row): number {
  return Number(SYSTEM.test(namespaceOf(a))) - Number(SYSTEM.test(namespaceOf(b))) || byNameAlone(a, b);
}

function byNameAlone(a: Row, b: Row): number {
  return namespaceOf(a).localeCompare(namespaceOf(b)) || a.name.localeCompare(b.name);
}

export function namespaceOf(row: Row): string {
  return "namespace" in row ? row.namespace : "";
}

/** Whether a row is of a namespace ("" is all of them) and has every word somewhere. */
export function matches(row: Row, namespace: string, words: string): boolean {
  if (namespace !== "" && namespaceOf(row) !== "" && namespaceOf(row) !== namespace) return false;
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return true;
  const text = textOf(row).toLowerCase();
  return wanted.every((word) => text.includes(word));
}

function textOf(row: Row): string {
  const parts: (string | null | undefined)[] = [row.name, namespaceOf(row), row.kind];
  if (row.kind === "Pod") parts.push(row.status, row.node, row.ip, row.owner, ...row.containers.map((container) => container.image));
  else if (row.kind === "Service") parts.push(row.type, row.cluster_ip, ...row.ports);
  else if (row.kind === "Event") parts.push(row.type, row.reason, row.object, row.message);
  else parts.push(row.status, ...("images" in row ? row.images : []), ...("roles" in row ? row.roles : []));
  return parts.join(" ");
}

/** What Kubernetes tells about a pod. */
export function eventsOf(view: ResourcesView, pod: PodRow): EventRow[] {
  return group(view).events.filter((event) => event.namespace === pod.namespace && event.object === `Pod/${pod.name}`);
}
