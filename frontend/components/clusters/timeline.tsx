"use client";

import { useNow } from "@/hooks/use-now";
import type { Cluster } from "@/lib/api/client";
import type { HistoryView } from "@/lib/stream/cluster-history";
import { classes } from "@/lib/text/classes";
import type { Expected } from "@/lib/text/forecast";
import { fine } from "@/lib/text/time";
import { expectedSteps, plural, STEPS } from "@/lib/text/words";
import { timelineOf, timelineWords, type TimelineRow } from "./timeline-rows";

interface TimelineProps {
  cluster: Cluster;
  history: HistoryView;
  expected: Expected | null;
}

/** When each step of the build began and how long it took, against what it usually takes. */
export function Timeline({ cluster, history, expected }: TimelineProps) {
  const building = cluster.phase === "provisioning" || cluster.phase === "pending";
  const now = useNow(building ? 200 : null);
  if (history.steps.length === 0 || history.startedAt === null) return null;
  const done = new Set(history.steps.map(({ step }) => step));
  const coming = building ? expectedSteps(cluster, history.totalSteps).filter((step) => !done.has(step)) : [];
  // When it is over it is in the history itself: alone there, it would be compared with itself.
  const others = building || (expected?.samples ?? 0) > 1 ? expected : null;
  const timeline = timelineOf({ startedAt: history.startedAt, steps: history.steps, coming, expected: others, building, now });
  const words = timelineWords(timeline, others, building);
  return (
    <section aria-labelledby="timeline" className="rounded-lg border border-line bg-surface px-4 py-3.5 sm:px-5">
      <div className="flex flex-wrap items-baseline justify-between gap-x-6 gap-y-1">
        <h2 id="timeline" className="font-semibold">
          Timeline
        </h2>
        {others ? <Legend samples={others.samples} /> : null}
      </div>
      <ol aria-label="Timeline of the steps" className="mt-2">
        {timeline.rows.map((row) => (
          <Row key={row.step} row={row} until={timeline.until} ticks={timeline.ticks} />
        ))}
      </ol>
      <Axis ticks={timeline.ticks} until={timeline.until} />
      {words ? <p className="mt-2 border-t border-line pt-3 text-muted">{words}</p> : null}
    </section>
  );
}

const ROW = "grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 sm:grid-cols-[120px_minmax(0,1fr)_148px]";
const BARS = { running: "fill-accent", succeeded: "fill-good", failed: "fill-bad", stopped: "fill-faint", coming: "" };
const STATES = { running: "runs", succeeded: "done", failed: "failed", stopped: "stopped", coming: "to come" };

function Row({ row, until, ticks }: { row: TimelineRow; until: number; ticks: readonly number[] }) {
  const { step, state, from, seconds, usual } = row;
  return (
    <li className={ROW}>
      <span className={classes("max-sm:pt-1", state === "running" && "font-medium", state === "coming" && "text-faint")}>
        {STEPS[step].title}
        <span className="sr-only">
          , {STATES[state]}
          {seconds === null ? "" : `, began after ${fine(from)}`}
        </span>
      </span>
      <Track row={row} until={until} ticks={ticks} />
      <span className="grid grid-cols-[auto_auto] items-baseline justify-end gap-x-3 text-right max-sm:pt-1 sm:grid-cols-[1fr_88px] sm:justify-stretch">
        <span className={classes(state === "running" && "font-medium")}>{seconds === null ? "" : fine(seconds)}</span>
        <span className="text-sm text-faint">{usual ? `usually ${fine(usual.p50)}` : ""}</span>
      </span>
    </li>
  );
}

/** The bar of a step, over the light one of its usual time with a whisker to that of slow builds. */
function Track({ row, until, ticks }: { row: TimelineRow; until: number; ticks: readonly number[] }) {
  const { state, from, seconds, usual } = row;
  const at = (moment: number) => `${(100 * moment) / until}%`;
  return (
    <svg aria-hidden="true" className="block h-7 w-full overflow-visible max-sm:order-last max-sm:col-span-2 max-sm:h-5">
      {ticks.map((tick) => (
        <line key={tick} x1={at(tick)} x2={at(tick)} y1="0" y2="100%" className="stroke-line" />
      ))}
      {usual ? (
        <svg y="50%" className="overflow-visible">
          <rect x={at(from)} y="-7" width={at(usual.p50)} height="14" rx="2" className="fill-line-strong" opacity={state === "coming" ? 0.5 : 0.8} />
          <line x1={at(from + usual.p50)} x2={at(from + usual.p95)} y1="0" y2="0" className="stroke-faint" />
          <line x1={at(from + usual.p95)} x2={at(from + usual.p95)} y1="-4" y2="4" className="stroke-faint" />
        </svg>
      ) : null}
      {seconds === null ? null : (
        <svg y="50%" className="overflow-visible">
          {/* What took no time is in sight, too. */}
          <rect x={at(from)} y="-4" width={at(Math.max(seconds, until / 300))} height="8" rx="1.500" className={BARS[state]} />
        </svg>
      )}
    </svg>
  );
}

/** The words under the axis; the rows say the same in figures. */
function Axis({ ticks, until }: { ticks: readonly number[]; until: number }) {
  return (
    <div aria-hidden="true" className={ROW}>
      <span className="max-sm:hidden" />
      <svg className="block h-5 w-full overflow-visible max-sm:col-span-2">
        {ticks.map((tick, index) => (
          <text key={tick} x={`${(100 * tick) / until}%`} y="15" textAnchor={index === 0 ? "start" : "middle"} className="fill-faint text-xs">
            {tick < 60 ? `${Number(tick.toFixed(1))} s` : fine(tick)}
          </text>
        ))}
      </svg>
      <span className="max-sm:hidden" />
    </div>
  );
}

function Legend({ samples }: { samples: number }) {
  return (
    <p className="flex flex-wrap items-center gap-x-3 text-sm text-faint">
      <span className="inline-flex items-center gap-1.5">
        <svg aria-hidden="true" className="h-3.5 w-5">
          <rect y="3.500" width="20" height="7" rx="1.500" className="fill-faint" />
        </svg>
        this build
      </span>
      <span className="inline-flex items-center gap-1.5">
        <svg aria-hidden="true" className="h-3.5 w-9">
          <rect width="20" height="14" rx="2" className="fill-line-strong" opacity="0.8" />
          <line x1="20" x2="35" y1="7" y2="7" className="stroke-faint" />
          <line x1="35" x2="35" y1="3" y2="11" className="stroke-faint" />
        </svg>
        usual and slow, from {samples === 1 ? "the last build" : `the last ${plural(samples, "build")}`}
      </span>
    </p>
  );
}
