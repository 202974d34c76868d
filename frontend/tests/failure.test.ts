import { describe, expect, it } from "vitest";
import { summaryOf } from "@/components/clusters/build-summary";
import type { Failure } from "@/lib/api/client";
import { adviceOf, docsLink, hasEvidence, isCancelled } from "@/lib/text/failure";
import { stateOf } from "@/lib/text/words";
import { makeCluster } from "./factories";

function makeFailure(changes: Partial<Failure> = {}): Failure {
  return { code: "disk_full", title: "No space left", cause: "the disk is full", fix: "free some space", evidence: [], docs: null, ...changes };
}

const failed = makeCluster({ phase: "failed", failure: makeFailure() });
const cancelled = makeCluster({ phase: "failed", failure: makeFailure({ code: "cancelled", title: "The create was cancelled" }) });

describe("a failure", () => {
  it("that somebody wanted is no failure in words", () => {
    expect(isCancelled(cancelled.failure)).toBe(true);
    expect(stateOf(cancelled)).toBe("Cancelled");
    expect(stateOf(failed)).toBe("Failed: no space left");
  });

  it("has evidence when it failed by itself, until it is tried again or gone", () => {
    expect(hasEvidence(failed)).toBe(true);
    expect(hasEvidence(cancelled)).toBe(false);
    expect(hasEvidence({ ...failed, phase: "pending" })).toBe(false);
    expect(hasEvidence({ ...failed, phase: "deleted" })).toBe(false);
  });

  it("that no rule knows points to what is on the page", () => {
    expect(adviceOf(makeFailure())).toBe("free some space");
    expect(adviceOf(makeFailure({ code: "unexplained" }))).toMatch(/log below.*Retry/);
  });

  it("links to an address, and only to an address", () => {
    expect(docsLink("https://example.org/a#b")).toBe("https://example.org/a#b");
    expect(docsLink("docs/howto/troubleshoot.md#disk_full")).toBeNull();
    expect(docsLink("javascript:alert(1)")).toBeNull();
  });
});

describe("summaryOf", () => {
  it("says where a cluster stands in the queue, and why", () => {
    const queue = { position: 2, size: 5, reason: "this host builds 1 cluster at a time" };
    const waiting = makeCluster({ phase: "pending", queue });
    expect(summaryOf(waiting, Date.now(), null, waiting.created_at)).toEqual({
      title: "Number 2 of 5 in the queue",
      note: "This host builds 1 cluster at a time",
    });
  });

  it("counts from the attempt that goes on, not from the first one", () => {
    const now = Date.parse("2026-11-23T20:10:00Z");
    const building = makeCluster({ phase: "provisioning" });
    expect(summaryOf(building, now, null, "2026-11-23T20:09:48Z")?.title).toBe("Building for 12 s");
    const ready = makeCluster({ phase: "ready", ready_at: "2026-11-23T20:10:00Z" });
    expect(summaryOf(ready, now, null, "2026-11-23T20:09:30Z")?.title).toBe("Ready in 30.0 s");
  });

  it("says calmly that it was cancelled", () => {
    expect(summaryOf(cancelled, 0, null, cancelled.created_at)?.title).toBe("Cancelled here");
  });
});
