import { backoff } from "@/lib/stream/backoff";
import type { Exited, TerminalError, TerminalFrame } from "./protocol";

/** Where the connection to a terminal stands. */
export type LinkPhase =
  | { status: "connecting" }
  | { status: "live" }
  | { status: "waiting"; retryAt: number }
  | { status: "ended"; reason: Exited["reason"] | "gone"; code: number | null }
  | { status: "refused"; title: string | null; detail: string; fix: string | null };

export interface LinkState {
  /** The terminal's id, once there is one: it is the same across connections. */
  session: string | null;
  /** How many bytes have come, counted from the very first the terminal put out. Null: begin with the oldest that is kept. */
  received: number | null;
  /** Tries since the last time that it was live. */
  attempt: number;
  /** Bytes that the server no longer had when the page came back. */
  lost: number;
  /** Why the server will close. */
  told: TerminalError | null;
  phase: LinkPhase;
}

export type LinkEvent =
  | { type: "dial" }
  | { type: "frame"; frame: TerminalFrame }
  | { type: "bytes"; count: number }
  /** `random` is from 0 up to 1. */
  | { type: "closed"; code: number; now: number; random: number }
  /** The server said by HTTP why there is no connection: a browser does not hear that from a WebSocket. */
  | { type: "explained"; title: string; detail: string; fix: string | null };

export function beginLink(session: string | null): LinkState {
  return { session, received: null, attempt: 0, lost: 0, told: null, phase: { status: "connecting" } };
}

/** Whether the link is over: nothing brings it back but a new one. */
export function isOver({ phase }: LinkState): boolean {
  return phase.status === "ended" || phase.status === "refused";
}

/** What becomes of a connection by what happens to it. */
export function reduceLink(state: LinkState, event: LinkEvent): LinkState {
  if (isOver(state)) return state;
  switch (event.type) {
    case "dial":
      return { ...state, attempt: state.attempt + 1, told: null, phase: { status: "connecting" } };
    case "frame":
      return afterFrame(state, event.frame);
    case "bytes":
      return state.received === null ? state : { ...state, received: state.received + event.count };
    case "closed":
      return afterClose(state, event.code, event.now + backoff(Math.max(1, state.attempt), () => event.random));
    case "explained":
      return { ...state, phase: { status: "refused", title: event.title, detail: event.detail, fix: event.fix } };
  }
}

function afterFrame(state: LinkState, frame: TerminalFrame): LinkState {
  switch (frame.type) {
    case "attached":
      return { ...state, session: frame.session, received: frame.offset, lost: frame.lost, attempt: 0, phase: { status: "live" } };
    case "exit":
      return { ...state, phase: { status: "ended", reason: frame.reason, code: frame.code } };
    case "error":
      return { ...state, told: frame };
    case "pong":
      return state;
  }
}

function afterClose(state: LinkState, code: number, retryAt: number): LinkState {
  if (code === 4504) return { ...state, phase: { status: "ended", reason: "gone", code: null } };
  if (code === 4510) return { ...state, received: null, phase: { status: "waiting", retryAt } };
  if (code >= 4500 && code <= 4999) {
    const { told } = state;
    return { ...state, phase: { status: "refused", title: null, detail: told?.detail ?? "the server closed the terminal", fix: told?.fix ?? null } };
  }
  return { ...state, phase: { status: "waiting", retryAt } };
}

/** Says how a terminal ended, for a person. */
export function endingInWords(phase: Extract<LinkPhase, { status: "ended" }>): string {
  switch (phase.reason) {
    case "exited":
      return phase.code === null ? "The shell has ended." : `The shell has ended with exit code ${phase.code}.`;
    case "closed":
      return "The terminal was closed.";
    case "abandoned":
      return "The shell was ended: nobody looked at it for two minutes.";
    case "signed_out":
      return "The shell was ended: whoever opened it has signed out.";
    case "cluster_gone":
      return "The shell has ended with its cluster.";
    case "gone":
      return "The shell is gone: it has ended, or the server was restarted.";
  }
}
