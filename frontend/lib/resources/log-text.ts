import type { LogLine } from "@/lib/stream/cluster-history";

/** So many lines of a log are kept; then the older half goes. */
export const MOST_LINES = 20_000;
const MOST_LINE_CHARS = 16_384;

/** What is read of a log: whole lines, and the number of those that are no longer kept. */
export interface LogText {
  lines: LogLine[];
  dropped: number;
  rest: string;
}

export const NO_TEXT: LogText = { lines: [], dropped: 0, rest: "" };

/** Takes a piece of text. The lines of before are kept as they are, so that the array only ever grows until it is halved. */
export function append(log: LogText, piece: string, most = MOST_LINES): LogText {
  const texts = (log.rest + piece).split("\n");
  let rest = texts.pop() ?? "";
  if (rest.length > MOST_LINE_CHARS) {
    texts.push(rest);
    rest = "";
  }
  if (texts.length === 0) return { ...log, rest };
  const lines = [...log.lines];
  for (const text of texts) lines.push(lineOf(log.dropped + lines.length + 1, text));
  const dropped = lines.length > most ? lines.length - Math.floor(most / 2) : 0;
  return { lines: dropped > 0 ? lines.slice(dropped) : lines, dropped: log.dropped + dropped, rest };
}

/** A terminal shows what stands after the last carriage return. */
function lineOf(seq: number, text: string): LogLine {
  const shown = text.replace(/\r+$/, "");
  return { seq, at: "", text: shown.slice(shown.lastIndexOf("\r") + 1, MOST_LINE_CHARS), stream: "stdout", startedAt: null };
}
