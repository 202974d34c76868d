import { problemFrom, unreachable, type ApiProblem } from "@/lib/api/problem";
import { backoff } from "@/lib/stream/backoff";

/** A long answer of the server as it is read. */
export type Reading =
  | { status: "connecting" }
  | { status: "live" }
  | { status: "waiting"; retryAt: number }
  | { status: "refused"; problem: ApiProblem }
  | { status: "ended" };

export interface ReadingOptions {
  url: string;
  accept: string;
  /** A connection that says nothing for so long is dead; null: it may be silent. */
  silenceMs: number | null;
  /** The answer begins: forget what the last one said. */
  onBegin: () => void;
  onPiece: (piece: string) => void;
  onReading: (reading: Reading) => void;
  /** An answer has come to its end: whether it is to be asked for again. */
  again: () => boolean;
}

const TOO_MANY = 429;

/** Reads an answer that has no end, and asks again when it breaks off. Gives the way to stop. */
export function keepReading(options: ReadingOptions): () => void {
  const stopped = new AbortController();
  void readOn(options, stopped.signal);
  return () => stopped.abort();
}

async function readOn(options: ReadingOptions, stopped: AbortSignal): Promise<void> {
  const isStopped = () => stopped.aborted;
  for (let attempt = 1; !isStopped(); attempt += 1) {
    options.onReading({ status: "connecting" });
    const outcome = await readOnce(options, stopped);
    if (isStopped()) return;
    if (outcome.problem && !isPassing(outcome.problem)) {
      options.onReading({ status: "refused", problem: outcome.problem });
      return;
    }
    if (!outcome.problem && !options.again()) {
      options.onReading({ status: "ended" });
      return;
    }
    if (outcome.began) attempt = 1;
    const wait = Math.max(1000, backoff(attempt + 1, Math.random));
    options.onReading({ status: "waiting", retryAt: Date.now() + wait });
    await sleep(wait, stopped);
  }
}

function isPassing(problem: ApiProblem): boolean {
  return problem.status === 0 || problem.status >= 500 || problem.status === TOO_MANY;
}

async function readOnce(options: ReadingOptions, stopped: AbortSignal): Promise<{ began: boolean; problem?: ApiProblem }> {
  const abort = new AbortController();
  const giveUp = () => abort.abort();
  stopped.addEventListener("abort", giveUp);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(timer);
    if (options.silenceMs !== null) timer = setTimeout(giveUp, options.silenceMs);
  };
  let began = false;
  try {
    heard();
    const answer = await fetch(options.url, { headers: { Accept: options.accept }, signal: abort.signal, cache: "no-store" });
    if (!answer.ok || answer.body === null) return { began, problem: problemFrom(await answer.json().catch(() => null), answer) };
    began = true;
    options.onBegin();
    options.onReading({ status: "live" });
    const decoder = new TextDecoder();
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { began };
      heard();
      if (!abort.signal.aborted) options.onPiece(decoder.decode(value, { stream: true }));
    }
  } catch {
    return { began, problem: unreachable() };
  } finally {
    clearTimeout(timer);
    stopped.removeEventListener("abort", giveUp);
  }
}

function sleep(milliseconds: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    stopped.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
