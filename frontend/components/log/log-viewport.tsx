"use client";

import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useImperativeHandle, useRef, useState, type Ref } from "react";
import { ArrowDownIcon } from "@/components/ui/icons";
import type { HistoryView } from "@/lib/stream/cluster-history";
import { classes } from "@/lib/text/classes";
import { plural } from "@/lib/text/words";
import { LogRow } from "./log-row";

const ROW_PX = 20;
const AT_THE_END_PX = 12;

/** Lines this near to each other are seen together. */
const TOGETHER = 14;

/** The index to look at so that the marked lines are in sight; the last one, when they are far apart. */
function middleOf(lines: HistoryView["lines"], marked: ReadonlySet<number>): number | null {
  const first = lines.findIndex((line) => marked.has(line.seq));
  if (first === -1) return null;
  const last = lines.findLastIndex((line) => marked.has(line.seq));
  return last - first <= TOGETHER ? Math.round((first + last) / 2) : last;
}

export interface LogHandle {
  /** Brings a line into the middle, and stops following. */
  showLine(index: number): void;
}

interface LogViewportProps {
  ref: Ref<LogHandle>;
  history: HistoryView;
  wrap: boolean;
  query: string;
  currentIndex: number | null;
  marked: ReadonlySet<number>;
  waitingFor: string;
  /** Whether lines have a time; else no room is kept for it. */
  timed?: boolean;
}

/** The visible part of the log. Follows the end until somebody scrolls up, and offers the way back. */
export function LogViewport({ ref, history, wrap, query, currentIndex, marked, waitingFor, timed = true }: LogViewportProps) {
  const { lines, rowCount } = history;
  const scroller = useRef<HTMLDivElement>(null);
  const lastTop = useRef(0);
  /** How many lines there were when somebody let go; null while following. */
  const [leftAt, setLeftAt] = useState<number | null>(null);
  const shownCause = useRef(false);

  // eslint-disable-next-line react-hooks/incompatible-library -- nothing here is memoised by the compiler
  const virtualizer = useVirtualizer({
    count: rowCount,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 24,
    paddingStart: 10,
    paddingEnd: 10,
  });

  useImperativeHandle(ref, () => ({
    showLine: (index) => {
      setLeftAt(rowCount);
      virtualizer.scrollToIndex(index, { align: "center" });
    },
  }));

  useEffect(() => {
    const element = scroller.current;
    if (leftAt === null && element) element.scrollTop = element.scrollHeight;
  }, [rowCount, leftAt, wrap, virtualizer]);

  useEffect(() => {
    virtualizer.measure();
  }, [wrap, virtualizer]);

  // A failure opens on its cause, once; the attempt after it is followed again.
  useEffect(() => {
    if (marked.size === 0 && shownCause.current) {
      shownCause.current = false;
      setLeftAt(null);
    }
    if (shownCause.current || marked.size === 0 || !history.caughtUp) return;
    const cause = middleOf(lines, marked);
    if (cause === null) return;
    shownCause.current = true;
    setLeftAt(lines.length);
    virtualizer.scrollToIndex(cause, { align: "center" });
  }, [marked, history.caughtUp, lines, rowCount, virtualizer]);

  const onScroll = () => {
    const element = scroller.current;
    if (!element) return;
    const atTheEnd = element.scrollHeight - element.scrollTop - element.clientHeight < AT_THE_END_PX;
    if (atTheEnd) setLeftAt(null);
    else if (element.scrollTop < lastTop.current - 1) setLeftAt((before) => before ?? rowCount);
    lastTop.current = element.scrollTop;
  };

  const missed = leftAt === null ? 0 : rowCount - leftAt;
  return (
    <div className="relative min-h-0 grow">
      <div
        ref={scroller}
        onScroll={onScroll}
        // It scrolls, so the keyboard must reach it.
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- see above
        tabIndex={0}
        role="group"
        aria-label="Lines of the log"
        className="h-full overflow-auto overscroll-contain font-mono text-sm focus-visible:-outline-offset-2"
      >
        {rowCount === 0 ? <p className="px-3.5 py-3 font-sans text-faint">{history.caughtUp ? waitingFor : "Reading the log."}</p> : null}
        <div className="relative w-full" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map((item) => {
            const line = lines[item.index];
            return line ? (
              <div
                key={item.key}
                data-index={item.index}
                ref={wrap ? virtualizer.measureElement : undefined}
                style={{ transform: `translateY(${item.start}px)` }}
                className={classes("absolute top-0 left-0 min-w-full", wrap ? "w-full" : "h-5 w-max")}
              >
                <LogRow line={line} wrap={wrap} query={query} marked={marked.has(line.seq)} current={item.index === currentIndex} timed={timed} />
              </div>
            ) : null;
          })}
        </div>
      </div>
      {missed > 0 || (leftAt !== null && !history.ended) ? (
        <button
          type="button"
          onClick={() => setLeftAt(null)}
          className="appear absolute right-4 bottom-3 flex items-center gap-1.5 rounded-full border border-line-strong bg-surface py-1 pr-3 pl-2.5 text-sm font-medium hover:bg-raised"
        >
          <ArrowDownIcon className="size-3.5" />
          {missed > 0 ? plural(missed, "new line") : "Follow"}
        </button>
      ) : null}
    </div>
  );
}
