import type { Explanation, TerminalWire } from "@/lib/terminal/link";
import { TERMINAL_SUBPROTOCOL } from "@/lib/terminal/protocol";
import { api } from "./client";
import { asProblem } from "./problem";

const CLIENT_ERRORS = 400;
const TOO_MANY = 429;
const SERVER_ERRORS = 500;

/** Opens the WebSocket of a terminal. */
export function openTerminal(cluster: string, query: URLSearchParams): TerminalWire {
  const url = new URL(`/api/v1/clusters/${encodeURIComponent(cluster)}/terminal`, window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = query.toString();
  const socket = new WebSocket(url, TERMINAL_SUBPROTOCOL);
  socket.binaryType = "arraybuffer";
  // Its callbacks take more than the page gives: events.
  return socket as unknown as TerminalWire;
}

/** Asks by HTTP why there is no terminal. Null: the server does not answer now, or sees no reason. */
export async function explainTerminal(cluster: string): Promise<Explanation | null> {
  try {
    await api.terminals(cluster);
    return null;
  } catch (error) {
    const problem = asProblem(error);
    const isFinal = problem.status >= CLIENT_ERRORS && problem.status < SERVER_ERRORS && problem.status !== TOO_MANY;
    return isFinal ? { title: problem.title, detail: problem.words, fix: null } : null;
  }
}
