import { describe, expect, it } from "vitest";
import { ClusterHistory } from "@/lib/stream/cluster-history";
import { makeCluster, makeEvent, makeLine } from "./factories";

/** A history whose next paint comes when the test says so. */
function openHistory() {
  const waiting: (() => void)[] = [];
  const history = new ClusterHistory((flush) => waiting.push(flush));
  const paint = () => {
    for (const flush of waiting.splice(0)) flush();
  };
  return { history, paint, waiting };
}

describe("ClusterHistory", () => {
  it("shows nothing before the next paint, and then all of it at once", () => {
    const { history, paint, waiting } = openHistory();
    let told = 0;
    history.subscribe(() => (told += 1));
    for (let seq = 1; seq <= 5000; seq += 1) history.append([makeLine(seq, `line ${seq}`)]);
    expect(history.read().lineCount).toBe(0);
    expect(waiting).toHaveLength(1);
    paint();
    expect(told).toBe(1);
    expect(history.read().lineCount).toBe(5000);
    expect(history.read().lines[4999]?.text).toBe("line 5000");
  });

  it("skips what it has and refuses a gap", () => {
    const { history, paint } = openHistory();
    expect(history.append([makeLine(1, "a"), makeLine(2, "b")])).toBe(true);
    expect(history.append([makeLine(2, "b"), makeLine(3, "c")])).toBe(true);
    expect(history.append([makeLine(5, "e")])).toBe(false);
    paint();
    expect(history.lastSeq).toBe(3);
    expect(history.read().lines.map((line) => line.text)).toEqual(["a", "b", "c"]);
  });

  it("keeps the steps with what they took, and begins anew with another attempt", () => {
    const { history, paint } = openHistory();
    history.append([
      makeEvent(1, "created", { cluster: makeCluster() }),
      makeEvent(2, "step_started", { step: "nodes", index: 1, total: 3 }),
      makeEvent(3, "step_finished", { step: "nodes", outcome: "succeeded", duration_seconds: 1.5 }),
      makeEvent(4, "step_started", { step: "network", index: 2, total: 3 }),
    ]);
    paint();
    expect(history.read().steps).toMatchObject([
      { step: "nodes", outcome: "succeeded", durationSeconds: 1.5 },
      { step: "network", outcome: "running", durationSeconds: null },
    ]);
    expect(history.read().totalSteps).toBe(3);
    history.append([makeEvent(5, "attempt_started", { attempt: 2 })]);
    paint();
    expect(history.read().steps).toEqual([]);
    expect(history.read().facts).toHaveLength(5);
  });

  it("divides the attempts, and counts each line's seconds from its own", () => {
    const { history, paint } = openHistory();
    history.append([
      makeEvent(1, "attempt_started", { attempt: 1 }),
      makeLine(2, "a"),
      makeEvent(3, "step_started", { step: "nodes", index: 1, total: 3 }),
      makeEvent(4, "phase_changed", { from: "provisioning", to: "failed", reason: "Cancelled" }),
    ]);
    paint();
    // A step that never ended must not seem to go on.
    expect(history.read().steps).toMatchObject([{ step: "nodes", outcome: "stopped", durationSeconds: 1 }]);
    history.append([makeEvent(5, "phase_changed", { from: "failed", to: "pending", reason: "RetryRequested" })]);
    paint();
    expect(history.read()).toMatchObject({ steps: [], totalSteps: null });
    history.append([makeEvent(6, "attempt_started", { attempt: 2 }), makeLine(7, "b")]);
    paint();
    const { lines, rowCount, lineCount } = history.read();
    expect(lines.map((line) => [line.stream, line.text])).toEqual([
      ["stderr", "a"],
      ["attempt", "attempt 2"],
      ["stderr", "b"],
    ]);
    expect([rowCount, lineCount]).toEqual([3, 2]);
    expect(lines.map((line) => line.startedAt?.slice(17, 19))).toEqual(["01", "06", "06"]);
  });

  it("is empty after clear and takes the log from its first line again", () => {
    const { history, paint } = openHistory();
    history.append([makeLine(1, "a")]);
    history.markEnded();
    history.clear();
    paint();
    expect(history.read()).toMatchObject({ lineCount: 0, ended: false, caughtUp: false });
    expect(history.append([makeLine(1, "a")])).toBe(true);
  });
});
