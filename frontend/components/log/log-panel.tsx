"use client";

import { useMemo, useRef, useState } from "react";
import { CopyButton } from "@/components/ui/copy-button";
import { buttonClasses } from "@/components/ui/button";
import { useShortcuts } from "@/hooks/use-shortcuts";
import { useConnection } from "@/hooks/use-stream";
import { fileUrl, type Cluster } from "@/lib/api/client";
import type { HistoryView } from "@/lib/stream/cluster-history";
import { stripAnsi } from "@/lib/text/ansi";
import { classes } from "@/lib/text/classes";
import { LineSearch } from "@/lib/text/search";
import { plural } from "@/lib/text/words";
import { LogSearch } from "./log-search";
import { LogViewport, type LogHandle } from "./log-viewport";

/** As much as fits on a screen; less below an explanation, so that the quoted lines are in sight with it. */
const TALL = "h-[clamp(340px,calc(100dvh-372px),760px)]";
const SHORT = "h-[clamp(340px,calc(100dvh-560px),760px)]";

/** The build log with its tools. */
export function LogPanel({ cluster, history }: { cluster: Cluster; history: HistoryView }) {
  const viewport = useRef<LogHandle>(null);
  const [searching, setSearching] = useState(false);
  // Where a line would mostly be out of sight, it goes on below.
  const [wrap, setWrap] = useState(() => window.matchMedia("(max-width: 639px)").matches);
  const [query, setQuery] = useState("");
  const [current, setCurrent] = useState(0);
  const { lines, rowCount, lineCount } = history;
  // A new search for a new query, and for a log that began anew.
  // eslint-disable-next-line react-hooks/exhaustive-deps -- see above
  const search = useMemo(() => new LineSearch(query), [query, lines]);
  const matches = searching ? search.update(lines, rowCount) : [];
  const marked = useMemo(() => new Set(cluster.failure?.evidence.map((line) => line.seq)), [cluster.failure]);

  const goTo = (position: number) => {
    if (matches.length === 0) return;
    const next = (position + matches.length) % matches.length;
    setCurrent(next);
    const index = matches[next];
    if (index !== undefined) viewport.current?.showLine(index);
  };
  useShortcuts({ "/": () => setSearching(true) });

  return (
    <section aria-label="Build log" className={classes("flex min-w-0 flex-col overflow-hidden rounded-lg border border-line bg-surface", cluster.failure ? SHORT : TALL)}>
      <div className="flex min-h-11 flex-wrap items-center gap-x-1 gap-y-1 border-b border-line py-1 pr-1.5 pl-3.5">
        {searching ? (
          <LogSearch
            query={query}
            count={matches.length}
            current={current}
            onQuery={(text) => {
              setQuery(text);
              setCurrent(0);
              const [first] = new LineSearch(text).update(lines, rowCount);
              if (first !== undefined) viewport.current?.showLine(first);
            }}
            onGo={(step) => goTo(current + step)}
            onClose={() => setSearching(false)}
          />
        ) : (
          <>
            <h2 className="grow text-muted">{marked.size > 0 ? "Build log, at the cause" : "Build log"}</h2>
            <button type="button" className={buttonClasses({ look: "ghost", size: "sm" })} onClick={() => setSearching(true)}>
              Search
            </button>
          </>
        )}
        <button type="button" aria-pressed={wrap} className={buttonClasses({ look: "ghost", size: "sm" }, wrap ? "bg-raised text-text!" : "")} onClick={() => setWrap(!wrap)}>
          Wrap
        </button>
        <a className={buttonClasses({ look: "ghost", size: "sm" })} href={fileUrl.log(cluster.id)} target="_blank" rel="noreferrer">
          Raw
        </a>
        <CopyButton what="the log" label="Copy" text={() => lines.map((line) => stripAnsi(line.text)).join("\n")} />
      </div>
      <LogViewport
        ref={viewport}
        history={history}
        wrap={wrap}
        query={searching ? query : ""}
        currentIndex={searching ? (matches[current] ?? null) : null}
        marked={marked}
        waitingFor={cluster.phase === "pending" ? "The log begins when the cluster's turn has come." : "The first line is on its way."}
      />
      <div className="flex items-center gap-4 border-t border-line px-3.5 py-1.5 text-sm">
        <LiveState cluster={cluster} history={history} />
        <span className="text-muted">{plural(lineCount, "line")}</span>
        <code className="ml-auto min-w-0 truncate font-mono text-faint max-sm:hidden">pyk8s logs -f {cluster.name}</code>
        <CopyButton what="the command" text={`pyk8s logs -f ${cluster.name}`} />
      </div>
    </section>
  );
}

function LiveState({ cluster, history }: { cluster: Cluster; history: HistoryView }) {
  const { connection } = useConnection();
  if (history.ended || cluster.phase === "deleted") return <span className="text-muted">Ended</span>;
  if (connection.status === "stopped") return <span className="font-medium text-warn">Not live</span>;
  if (connection.status !== "live") return <span className="font-medium text-warn">{history.rowCount === 0 ? "Connecting" : "Reconnecting"}</span>;
  if (!history.caughtUp) return <span className="text-muted">{history.rowCount === 0 ? "Connecting" : "Catching up"}</span>;
  const building = cluster.phase === "provisioning" || cluster.phase === "pending";
  return (
    <span className={building ? "flex items-center gap-2 font-medium text-accent" : "flex items-center gap-2 text-muted"}>
      <span aria-hidden="true" className="size-1.5 rounded-full bg-current" />
      Live
    </span>
  );
}
