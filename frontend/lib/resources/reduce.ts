import type { components } from "@/lib/api/schema";
import type { SseMessage } from "./sse";

type Schemas = components["schemas"];
export type Row = Schemas["Resources"]["items"][number];
export type Kind = Row["kind"];
export type Health = Schemas["PodRow"]["health"];
export type PodRow = Extract<Row, { kind: "Pod" }>;
export type NodeRow = Extract<Row, { kind: "Node" }>;
export type ServiceRow = Extract<Row, { kind: "Service" }>;
export type EventRow = Extract<Row, { kind: "Event" }>;
export type WorkloadRow = Exclude<Row, { kind: "Pod" | "Node" | "Service" | "Event" | "Namespace" }>;

/** What is known of the inside of a cluster. */
export interface ResourcesView {
  rows: ReadonlyMap<string, Row>;
  /** How many are left out, by kind. */
  more: Partial<Record<Kind, number>>;
  /** Everything has been told once. */
  known: boolean;
  /** Why it may not be true any more. */
  away: { code: string; detail: string; at: string } | null;
  /** The cluster is deleted. */
  ended: boolean;
}

export const NOTHING_KNOWN: ResourcesView = { rows: new Map(), more: {}, known: false, away: null, ended: false };

interface Snapshot {
  items: Row[];
  more: ResourcesView["more"];
}

interface Change {
  put: Row[];
  remove: string[];
  more: ResourcesView["more"];
}

/** What becomes of the view with a message. Messages that are not known change nothing. */
export function reduce(view: ResourcesView, message: SseMessage): ResourcesView {
  if (message.event === "snapshot") {
    const { items, more } = JSON.parse(message.data) as Snapshot;
    return { rows: new Map(items.map((row) => [row.uid, row])), more, known: true, away: null, ended: false };
  }
  if (message.event === "change") {
    const { put, remove, more } = JSON.parse(message.data) as Change;
    const rows = new Map(view.rows);
    for (const uid of remove) rows.delete(uid);
    for (const row of put) rows.set(row.uid, row);
    return { ...view, rows, more };
  }
  if (message.event === "unavailable") {
    const { code, detail, at } = JSON.parse(message.data) as NonNullable<ResourcesView["away"]>;
    return { ...view, away: { code, detail, at } };
  }
  if (message.event === "end") return { ...view, ended: true };
  return view;
}
