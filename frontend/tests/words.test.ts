import { describe, expect, it } from "vitest";
import { summaryOf } from "@/components/clusters/build-summary";
import { handoverWords } from "@/components/clusters/handover-note";
import { expectedWords } from "@/components/clusters/template-choice";
import type { Fact } from "@/lib/stream/cluster-history";
import type { Phase } from "@/lib/api/client";
import { describeFact } from "@/lib/text/describe-fact";
import { poolWords } from "@/lib/text/pool";
import { makeCluster, makeEvent, makeTemplate } from "./factories";

describe("a change of phase in words", () => {
  const change = (from: Phase, to: Phase, reason: string) => describeFact(makeEvent(1, "phase_changed", { from, to, reason }) as Fact);
  it.each<[Phase, Phase, string, string]>([
    ["ready", "paused", "PauseRequested", "Paused, as somebody asked"],
    ["ready", "paused", "Idle", "Paused, as nobody used it"],
    ["paused", "ready", "ResumeRequested", "Ready again, as somebody asked"],
    ["paused", "ready", "Used", "Ready again, as somebody used it"],
    ["paused", "ready", "Resumed", "Ready again, goes on where it was"],
    ["pending", "provisioning", "ClaimedFromPool", "Being handed over from the pool"],
    ["ready", "paused", "OfTomorrow", "Paused, was ready (OfTomorrow)"],
  ])("from %s to %s, %s", (from, to, reason, words) => expect(change(from, to, reason)).toBe(words));
});

describe("images that were loaded, in words", () => {
  const loaded = (names: string[]) => describeFact(makeEvent(1, "images_loaded", { names, size_bytes: 120_000_000, by: "anna" }) as Fact);
  it("are named", () => expect(loaded(["docker.io/library/mine:1", "web:2"])).toBe("anna brought in docker.io/library/mine:1, web:2"));
  it("may have no name", () => expect(loaded([])).toBe("anna brought in images without a name"));
});

describe("how long a build still takes", () => {
  const building = makeCluster({ phase: "provisioning" });
  const { expected_seconds: expected } = makeTemplate();
  const since = "2026-11-23T20:00:00Z";
  const now = Date.parse("2026-11-23T20:00:04Z");
  const latest = { step: "control_plane", startedAt: "2026-11-23T20:00:02.500Z", durationSeconds: null, outcome: "running" } as const;

  it("is told by the step it is in", () => {
    expect(summaryOf(building, now, expected, since, latest)).toEqual({ title: "10 to 19 s left", note: "from the last 12 builds of this template" });
  });

  it("is told by the whole before the first step", () => {
    expect(summaryOf(building, now, expected, since)?.title).toBe("12 to 20 s left");
  });

  it("is not promised any more when it is late", () => {
    expect(summaryOf(building, now + 60_000, expected, since)).toEqual({ title: "Building for 1 min", note: "longer than usual, which is 18.4 s" });
  });
});

describe("the pool in words", () => {
  const state = { template: "default", size: 3, ready: 2, paused: 1, awake: 1, building: 1, waits_for: null };
  it.each([
    [{}, "2 of 3 ready, 1 paused, 1 being built."],
    [{ size: 0, ready: 0, paused: 0, building: 0 }, "None is kept."],
    [{ size: 1, ready: 3, paused: 0, building: 0 }, "3 ready, 2 too many."],
  ])("%j", (changes, words) => expect(poolWords({ ...state, ...changes })).toBe(words));

  it("is told where a template is chosen", () => {
    const template = makeTemplate();
    expect(expectedWords(template, { default: { target: 2, prebuilt: 2 } })).toBe("ready at once (2 prebuilt)");
    expect(expectedWords(template, { default: { target: 2, prebuilt: 0 } })).toBe("usually 18 s");
  });

  it("is told on the page of a cluster that came from it", () => {
    expect(handoverWords({ created_at: "2026-11-23T20:00:00Z", ready_at: "2026-11-23T20:00:00.120Z" })).toBe("Built ahead of time; handed over in 0.1 s.");
    expect(handoverWords({ created_at: "2026-11-23T20:00:00Z", ready_at: "2026-11-23T20:00:00.038Z" })).toContain("in 38 ms.");
    expect(handoverWords({ created_at: "2026-11-23T20:00:00Z", ready_at: null })).toContain("being handed over");
  });
});
