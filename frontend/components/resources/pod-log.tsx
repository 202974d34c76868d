"use client";

import { useMemo, useRef, useState } from "react";
import { LogViewport, type LogHandle } from "@/components/log/log-viewport";
import { buttonClasses } from "@/components/ui/button";
import { CopyButton } from "@/components/ui/copy-button";
import { logUrl, usePodLog } from "@/hooks/use-pod-log";
import type { Reading } from "@/lib/resources/reading";
import type { PodRow } from "@/lib/resources/reduce";
import { NO_HISTORY, type HistoryView } from "@/lib/stream/cluster-history";
import { stripAnsi } from "@/lib/text/ansi";
import { plural } from "@/lib/text/words";

interface PodLogProps {
  clusterId: string;
  pod: PodRow;
  container: PodRow["containers"][number];
  isGone: boolean;
}

const NOTHING_MARKED: ReadonlySet<number> = new Set();

/** The log of a container, followed. */
export function PodLog({ clusterId, pod, container, isGone }: PodLogProps) {
  const viewport = useRef<LogHandle>(null);
  const [previous, setPrevious] = useState(false);
  const [following, setFollowing] = useState(true);
  const [wrap, setWrap] = useState(true);
  const isRunning = container.state === "Running" && !isGone;
  const wanted = {
    path: `/api/v1/clusters/${clusterId}/pods/${pod.namespace}/${pod.name}/log`,
    container: container.name,
    previous,
    start: `${container.restarts} ${isRunning ? "runs" : "waits"}`,
    isRunning,
  };
  const { log, reading } = usePodLog(wanted, following);
  const history: HistoryView = useMemo(
    () => ({
      ...NO_HISTORY,
      lines: log.lines,
      rowCount: log.lines.length,
      lineCount: log.lines.length,
      caughtUp: reading.status !== "connecting",
      ended: reading.status === "ended",
    }),
    [log, reading],
  );
  const toggle = (label: string, pressed: boolean, flip: () => void) => (
    <button type="button" aria-pressed={pressed} className={buttonClasses({ look: "ghost", size: "sm" }, pressed ? "bg-raised text-text!" : "")} onClick={flip}>
      {label}
    </button>
  );
  return (
    <section aria-label={`Log of ${container.name}`} className="flex h-[clamp(260px,48dvh,560px)] shrink-0 flex-col overflow-hidden rounded-lg border border-line bg-surface">
      <div className="flex min-h-11 flex-wrap items-center gap-1 border-b border-line py-1 pr-1.5 pl-3.5">
        <h3 className="min-w-0 grow truncate text-muted">Log of {container.name}</h3>
        {container.restarts > 0 ? toggle("Before the restart", previous, () => setPrevious(!previous)) : null}
        {previous ? null : toggle("Follow", following, () => setFollowing(!following))}
        {toggle("Wrap", wrap, () => setWrap(!wrap))}
        <a className={buttonClasses({ look: "ghost", size: "sm" })} href={logUrl(wanted, false)} target="_blank" rel="noreferrer">
          Raw
        </a>
        <CopyButton what="the log" label="Copy" text={() => log.lines.map((line) => stripAnsi(line.text)).join("\n")} />
      </div>
      <LogViewport
        ref={viewport}
        history={history}
        wrap={wrap}
        query=""
        currentIndex={null}
        marked={NOTHING_MARKED}
        waitingFor={reading.status === "refused" ? reading.problem.words : "The container has written nothing yet."}
        timed={false}
      />
      <p role="status" className="border-t border-line px-3.5 py-1.5 text-sm text-muted">
        {stateOf(reading, following)}, {plural(log.lines.length + log.dropped, "line")}
        {log.dropped > 0 ? `, the last ${log.lines.length} are kept` : ""}
      </p>
    </section>
  );
}

function stateOf(reading: Reading, following: boolean): string {
  if (!following) return "Not followed";
  if (reading.status === "live") return "Live";
  if (reading.status === "ended") return "Ended";
  if (reading.status === "refused") return "Not there";
  return reading.status === "waiting" ? "Reconnecting" : "Connecting";
}
