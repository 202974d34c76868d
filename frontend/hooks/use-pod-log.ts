import { useEffect, useRef, useState } from "react";
import { append, NO_TEXT, type LogText } from "@/lib/resources/log-text";
import { keepReading, type Reading } from "@/lib/resources/reading";

export interface WantedLog {
  /** The address of the log, without what follows the question mark. */
  path: string;
  container: string;
  previous: boolean;
  /** How often the container was started, and whether it runs: another start has another log. */
  start: string;
  isRunning: boolean;
}

const TAIL = 1000;
/** A flood is drawn this often; a hidden page has no frames to wait for. */
const DRAW_MS = 50;

export function logUrl({ path, container, previous }: Pick<WantedLog, "path" | "container" | "previous">, follow: boolean): string {
  const query = new URLSearchParams({ container, tail_lines: String(TAIL) });
  if (previous) query.set("previous", "1");
  if (follow) query.set("follow", "1");
  return `${path}?${query.toString()}`;
}

/** Reads the log of a container while the caller is mounted; `following` false keeps what is there. */
export function usePodLog(wanted: WantedLog, following: boolean): { log: LogText; reading: Reading } {
  const [log, setLog] = useState(NO_TEXT);
  const [reading, setReading] = useState<Reading>({ status: "connecting" });
  const { path, container, previous, start, isRunning } = wanted;
  const running = useRef(isRunning);
  useEffect(() => {
    running.current = isRunning;
  }, [isRunning]);
  useEffect(() => {
    if (!following) return;
    let gathered = "";
    let timer: ReturnType<typeof setTimeout> | undefined;
    const draw = () => {
      const piece = gathered;
      gathered = "";
      timer = undefined;
      setLog((before) => append(before, piece));
    };
    const stop = keepReading({
      url: logUrl({ path, container, previous }, !previous),
      accept: "text/plain",
      silenceMs: null,
      onBegin: () => {
        gathered = "";
        setLog(NO_TEXT);
      },
      onPiece: (piece) => {
        gathered += piece;
        timer ??= setTimeout(draw, DRAW_MS);
      },
      onReading: setReading,
      again: () => running.current && !previous,
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [path, container, previous, start, following]);
  return { log, reading };
}
