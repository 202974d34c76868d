import { describe, expect, it } from "vitest";
import { doubtOf } from "@/lib/text/health";
import { endsSoon, urgencyOf, warnedClusters, withWarning } from "@/lib/text/lease";
import { makeCluster } from "./factories";

const NOW = Date.parse("2026-11-23T21:00:00Z");
const inSeconds = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();

function makeLeased(left: number, whole = 3600) {
  return makeCluster({ id: "a", phase: "ready", ready_at: inSeconds(left - whole), expires_at: inSeconds(left), ttl_seconds: whole });
}

describe("the end of a lease", () => {
  it.each([
    [3600, "calm"],
    [600, "calm"],
    [599, "soon"],
    [120, "soon"],
    [119, "now"],
    [-1, "now"],
  ])("with %d s left is %s", (seconds, urgency) => expect(urgencyOf(seconds)).toBe(urgency));

  it("is spoken of under ten minutes, but not to somebody who asked for that little", () => {
    expect(endsSoon(makeLeased(601), NOW)).toBe(false);
    expect(endsSoon(makeLeased(500), NOW)).toBe(true);
    expect(endsSoon(makeLeased(250, 300), NOW)).toBe(false);
    expect(endsSoon(makeLeased(100, 300), NOW)).toBe(true);
    expect(endsSoon(makeLeased(50, 60), NOW)).toBe(false);
    expect(endsSoon({ ...makeLeased(100), phase: "deleting" }, NOW)).toBe(false);
    expect(endsSoon(makeCluster(), NOW)).toBe(false);
  });
});

describe("warnings", () => {
  const cluster = makeLeased(500);
  const warning = { clusterId: "a", seq: 9, expiresAt: inSeconds(500) };

  it("are one for each cluster, the last one", () => {
    const other = { ...warning, clusterId: "b" };
    const later = { ...warning, seq: 12 };
    expect(withWarning([warning, other], later)).toEqual([other, later]);
  });

  it("show elsewhere, and not on the cluster's own page", () => {
    expect(warnedClusters([warning], [cluster], null)).toEqual([cluster]);
    expect(warnedClusters([warning], [cluster], "a")).toEqual([]);
    expect(warnedClusters([warning], [cluster], "demo")).toEqual([]);
    expect(warnedClusters([warning], [cluster], "b")).toEqual([cluster]);
  });

  it("go when the lease was made longer, and with the cluster", () => {
    expect(warnedClusters([warning], [{ ...cluster, expires_at: inSeconds(4100) }], null)).toEqual([]);
    expect(warnedClusters([warning], [{ ...cluster, phase: "deleting" }], null)).toEqual([]);
    expect(warnedClusters([warning], [], null)).toEqual([]);
  });
});

describe("doubtOf", () => {
  const ready = { type: "Ready", status: "True" as const, reason: "Provisioned", message: "", last_transition_time: inSeconds(0) };

  it("is null while the cluster is what it is called", () => {
    expect(doubtOf(makeCluster({ phase: "ready", conditions: [ready] }))).toBeNull();
    expect(doubtOf(makeCluster({ phase: "ready" }))).toBeNull();
    expect(doubtOf(makeCluster({ phase: "pending", conditions: [{ ...ready, status: "False" }] }))).toBeNull();
  });

  it("gives the words of the server, or its own", () => {
    const unknown = { ...ready, status: "Unknown" as const, reason: "HostUnreachable", message: "Docker does not answer." };
    expect(doubtOf(makeCluster({ phase: "ready", conditions: [unknown] }))).toMatchObject({ what: "Docker does not answer", unknown: true });
    const silent = { ...ready, status: "False" as const };
    expect(doubtOf(makeCluster({ phase: "ready", conditions: [silent] }))).toMatchObject({ what: "The cluster does not answer", unknown: false });
  });
});
