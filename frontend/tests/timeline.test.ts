import { describe, expect, it } from "vitest";
import { timelineOf, timelineWords } from "@/components/clusters/timeline-rows";
import type { StepRecord } from "@/lib/stream/cluster-history";
import { makeTemplate } from "./factories";

const BEGIN = "2026-11-23T20:00:00.000Z";
const at = (seconds: number) => new Date(Date.parse(BEGIN) + 1000 * seconds).toISOString();
const expected = makeTemplate().expected_seconds;

const step = (name: StepRecord["step"], from: number, seconds: number | null, outcome: StepRecord["outcome"] = "succeeded"): StepRecord => ({
  step: name,
  startedAt: at(from),
  durationSeconds: seconds,
  outcome,
});

const DONE = [step("nodes", 0.5, 1.5), step("control_plane", 2, 9.4), step("storage", 11.4, 0.2)];

function drawn(steps: StepRecord[], options: { building?: boolean; now?: number; coming?: StepRecord["step"][]; known?: typeof expected } = {}) {
  const { building = false, now = 0, coming = [], known = expected } = options;
  const timeline = timelineOf({ startedAt: BEGIN, steps, coming, expected: known, building, now: Date.parse(BEGIN) + 1000 * now });
  return { timeline, words: timelineWords(timeline, known, building) };
}

describe("the timeline of a build that is over", () => {
  it("puts each step where it was, on an axis that holds the slow builds too", () => {
    const { timeline } = drawn(DONE);
    expect(timeline.rows.map(({ step: name, from, seconds }) => [name, from, seconds])).toEqual([["nodes", 0.5, 1.5], ["control_plane", 2, 9.4], ["storage", 11.4, 0.2]]);
    expect(timeline.until).toBe(2 + 12.6);
    expect(timeline.ticks).toEqual([0, 5, 10]);
  });

  it("names the slowest step and what is usual", () => {
    expect(drawn(DONE).words).toBe("What took longest was starting the control plane: 9.4 s, usually 9.1 s.");
    expect(drawn(DONE, { known: null }).words).toBe("What took longest was starting the control plane: 9.4 s.");
  });

  it("says when it was slower than slow ones, if enough builds tell", () => {
    const slow = [step("control_plane", 2, 14)];
    expect(drawn(slow).words).toContain("14.0 s, usually 9.1 s and rarely more than 12.6 s.");
    expect(expected && drawn(slow, { known: { ...expected, samples: 2 } }).words).toContain("14.0 s, usually 9.1 s.");
  });

  it("names the step that failed, or that was stopped, before the slowest", () => {
    expect(drawn([...DONE, step("workers", 12, 3, "failed")]).words).toBe("Joining the workers failed after 3.0 s.");
    expect(drawn([step("control_plane", 2, 4, "stopped")]).words).toBe("Starting the control plane was stopped after 4.0 s, usually 9.1 s.");
  });

  it("shows no step as running, though its end is not told yet", () => {
    expect(drawn([step("control_plane", 2, null, "running")], { now: 5 }).timeline.rows[0]?.state).toBe("stopped");
  });

  it("has an axis for a build that took no time", () => {
    expect(drawn([step("storage", 0, 0)]).timeline.until).toBe(0.1);
  });
});

describe("the timeline of a build that goes on", () => {
  const steps = [step("nodes", 0.5, 1.5), step("control_plane", 2, null, "running")];

  it("says how far the step is, against the usual", () => {
    expect(drawn(steps, { building: true, now: 8.2 }).words).toBe("Starting the control plane: 6.2 s, usually 9.1 s.");
    expect(drawn(steps, { building: true, now: 8.2, known: null }).words).toBe("Starting the control plane: 6.2 s so far.");
  });

  it("puts the coming ones after it, as long as they take as a rule", () => {
    const coming = drawn(steps, { building: true, now: 8, coming: ["storage", "access"] }).timeline.rows.slice(2);
    expect(coming.map(({ from, seconds, state }) => [from, seconds, state])).toEqual([[11.1, null, "coming"], [11.1, null, "coming"]]);
    const late = drawn(steps, { building: true, now: 14, coming: ["access"] }).timeline.rows[2];
    expect(late?.from).toBe(14);
  });

  it("keeps its axis while nothing is late", () => {
    const early = drawn(steps, { building: true, now: 3, coming: ["access"] }).timeline.until;
    expect(early).toBe(24);
    expect(drawn(steps, { building: true, now: 9, coming: ["access"] }).timeline.until).toBe(early);
  });
});
