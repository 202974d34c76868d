import type { components } from "@/lib/api/schema";
import { readKnown } from "@/lib/stream/known-frame";

export const TERMINAL_SUBPROTOCOL = "pyk8s.terminal.v1";

type Schemas = components["schemas"];
export type TerminalFrame = Schemas["TerminalFrame"];
export type TerminalAsk = Schemas["TerminalAsk"];
export type Terminal = Schemas["Terminal"];
export type Attached = Schemas["Attached"];
export type Exited = Schemas["Exited"];
export type TerminalError = Schemas["TerminalError"];

const KNOWN: ReadonlySet<string> = new Set<TerminalFrame["type"]>(["attached", "exit", "error", "pong"]);

/** Reads a frame. Null for what a newer server may say and this page does not know. */
export function parseTerminalFrame(text: string): TerminalFrame | null {
  return readKnown(text, KNOWN) as TerminalFrame | null;
}
