import type { Cluster, Step, Template } from "@/lib/api/client";
import { fine } from "./time";

export type Expected = NonNullable<Template["expected_seconds"]>;
export type ExpectedStep = Expected["steps"][number];

/** In how many seconds from now a create will probably be over. */
export interface Eta {
  low: number;
  high: number;
}

interface Progress {
  /** Seconds since the create began. */
  spent: number;
  /** Where it is, and for how many seconds. */
  step?: Step | null;
  inStep?: number;
}

/**
 * In nine of ten creates it is not over before `low`, in 19 of 20 it is by `high`; null: it takes longer than it ever does.
 * The same function as pyk8s/wire/forecast.py; a golden file holds both to it.
 */
export function etaOf(expected: Expected, { spent, step = null, inStep = 0 }: Progress): Eta | null {
  // What was learned of the step tells more than the whole.
  const known = usualOf(expected, step);
  const low = known ? known.left_p10 - inStep : expected.p10 - spent;
  const high = known ? known.left_p95 - inStep : expected.p95 - spent;
  return high > 0 ? { low: Math.max(0, tenth(low)), high: tenth(high) } : null;
}

/** What the history says of a step; null when it says nothing. */
export function usualOf(expected: Expected | null, step: Step | null): ExpectedStep | null {
  return expected?.steps.find((each) => each.step === step) ?? null;
}

/** The history that fits a cluster: it is of the template's shape, and tells nothing of another number of nodes. */
export function expectedFor(cluster: Cluster, template: Template | undefined): Expected | null {
  if (template?.control_planes !== cluster.control_planes || template.workers !== cluster.workers) return null;
  return template.expected_seconds;
}

/** "12 to 18 s left". */
export function leftWords({ low, high }: Eta): string {
  const from = Math.floor(low);
  const to = Math.max(1, Math.ceil(high));
  if (from === 0) return `at most ${whole(to)} left`;
  if (to - from <= 1) return `${whole(to)} left`;
  return to < 60 ? `${from} to ${whole(to)} left` : `${whole(from)} to ${whole(to)} left`;
}

function whole(seconds: number): string {
  return seconds < 60 ? `${seconds} s` : fine(seconds);
}

/** To a tenth, halves to the even neighbour: as Python rounds. */
function tenth(seconds: number): number {
  // Of what lies exactly between two tenths, .25 and .75, only the first has its even neighbour below.
  return seconds % 1 === 0.25 ? Math.floor(seconds * 10) / 10 : Number(seconds.toFixed(1));
}
