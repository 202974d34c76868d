import type { Step } from "@/lib/api/client";
import type { StepRecord } from "@/lib/stream/cluster-history";
import { usualOf, type Expected, type ExpectedStep } from "@/lib/text/forecast";
import { fine, secondsBetween } from "@/lib/text/time";
import { lowerFirst, STEPS } from "@/lib/text/words";

export interface TimelineRow {
  step: Step;
  state: StepRecord["outcome"] | "coming";
  /** Seconds from the beginning of the build to that of the step; of a coming one as it is to be expected. */
  from: number;
  /** Null: it has not begun. */
  seconds: number | null;
  /** What the history says of it. */
  usual: ExpectedStep | null;
}

export interface Timeline {
  rows: TimelineRow[];
  /** Where the axis ends, in seconds. */
  until: number;
  ticks: number[];
}

interface Build {
  startedAt: string;
  steps: readonly StepRecord[];
  /** The steps that have not begun. */
  coming: readonly Step[];
  /** What is known of other builds; null: nothing. */
  expected: Expected | null;
  building: boolean;
  now: number;
}

/** Each step on one axis of time. The coming ones stand where they would if they took as long as usual. */
export function timelineOf({ startedAt, steps, coming, expected, building, now }: Build): Timeline {
  const begun = steps.map<TimelineRow>((record) => ({
    step: record.step,
    // The answer to a cancel may be here before the event that ends the step.
    state: record.outcome === "running" && !building ? "stopped" : record.outcome,
    from: secondsBetween(startedAt, record.startedAt),
    seconds: record.durationSeconds ?? secondsBetween(record.startedAt, now),
    usual: usualOf(expected, record.step),
  }));
  let next = Math.max(0, ...begun.map(({ from, seconds, state, usual }) => from + Math.max(seconds ?? 0, state === "running" ? (usual?.p50 ?? 0) : 0)));
  const ahead = coming.map<TimelineRow>((step) => {
    const usual = usualOf(expected, step);
    const row: TimelineRow = { step, state: "coming", from: next, seconds: null, usual };
    next += usual?.p50 ?? 0;
    return row;
  });
  const rows = [...begun, ...ahead];
  const ends = rows.map(({ from, seconds, usual }) => from + Math.max(seconds ?? 0, usual?.p95 ?? 0));
  // While it is built the axis ends where slow builds do: it must not grow under the eye.
  const until = Math.max(0.1, building ? (expected?.p95 ?? 0) : 0, ...ends);
  return { rows, until, ticks: ticksOf(until) };
}

const TICK_SECONDS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
const MOST_TICKS = 6;

function ticksOf(until: number): number[] {
  const every = TICK_SECONDS.find((seconds) => until / seconds < MOST_TICKS) ?? until;
  return Array.from({ length: Math.floor(until / every) + 1 }, (_, index) => index * every);
}

/** Fewer builds say nothing about the slow ones. */
const ENOUGH_SAMPLES = 5;

/** One sentence: what goes on, where it ended, or what took longest, and how that compares. */
export function timelineWords({ rows }: Timeline, expected: Expected | null, building: boolean): string | null {
  const begun = rows.filter((row) => row.seconds !== null);
  const broken = begun.find(({ state }) => state === "failed" || state === "stopped");
  const row = building ? begun.at(-1) : (broken ?? slowest(begun));
  if (row?.seconds == null) return null;
  const { doing } = STEPS[row.step];
  const took = fine(row.seconds);
  const rest = comparison(row, expected);
  if (building) return rest === "" ? `${doing}: ${took} so far.` : `${doing}: ${took}${rest}.`;
  if (row.state === "failed") return `${doing} failed after ${took}${rest}.`;
  if (row.state === "stopped") return `${doing} was stopped after ${took}${rest}.`;
  return `What took longest was ${lowerFirst(doing)}: ${took}${rest}.`;
}

function slowest(rows: readonly TimelineRow[]): TimelineRow | undefined {
  return rows.reduce<TimelineRow | undefined>((most, row) => ((row.seconds ?? 0) > (most?.seconds ?? -1) ? row : most), undefined);
}

function comparison({ seconds, usual }: TimelineRow, expected: Expected | null): string {
  if (!usual) return "";
  // By more than what the words show.
  const isSlow = (seconds ?? 0) >= usual.p95 + 0.1 && (expected?.samples ?? 0) >= ENOUGH_SAMPLES;
  return `, usually ${fine(usual.p50)}${isSlow ? ` and rarely more than ${fine(usual.p95)}` : ""}`;
}
