import type { components } from "@/lib/api/schema";
import { readKnown } from "./known-frame";

export const SUBPROTOCOL = "pyk8s.v1";
export const CLUSTERS = "clusters";
export const clusterTopic = (id: string) => `cluster:${id}`;

export type ClientFrame =
  | { type: "subscribe"; topic: string; after?: number; epoch?: string }
  | { type: "unsubscribe"; topic: string }
  | { type: "ping"; nonce: string };

export type ServerFrame = components["schemas"]["ServerFrame"];
export type Hello = components["schemas"]["Hello"];

const KNOWN: ReadonlySet<string> = new Set<ServerFrame["type"]>(["hello", "snapshot", "events", "bookmark", "lagged", "end", "error", "pong", "goaway"]);

/** Reads a frame. Null for what a newer server may say and this page does not know. */
export function parseFrame(text: string): ServerFrame | null {
  return readKnown(text, KNOWN) as ServerFrame | null;
}

/** What a close code asks of a client. */
export function verdict(code: number): "reconnect" | "start_over" | "sign_in" | "stop" {
  if (code === 4501) return "sign_in";
  if (code === 4510) return "start_over";
  if (code >= 4500 && code <= 4999) return "stop";
  return "reconnect";
}
