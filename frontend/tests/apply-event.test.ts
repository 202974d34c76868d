import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Cluster, ClusterEvent } from "@/lib/api/client";
import { applyEvent } from "@/lib/stream/apply-event";
import { foldList } from "@/lib/stream/lab-stream";
import { makeCluster, makeEvent } from "./factories";

const GOLDEN = new URL("../../tests/golden/reducer/", import.meta.url);

interface Golden {
  before: Cluster | null;
  events: ClusterEvent[];
  after: Cluster | null;
}

describe("the golden files, which pytest reads too", () => {
  const names = readdirSync(GOLDEN).filter((name) => name.endsWith(".json"));
  it("are there", () => expect(names.length).toBeGreaterThan(0));
  it.each(names)("%s", (name) => {
    const golden = JSON.parse(readFileSync(new URL(name, GOLDEN), "utf8")) as Golden;
    expect(golden.events.reduce<Cluster | null>(applyEvent, golden.before)).toEqual(golden.after);
  });
});

describe("applyEvent", () => {
  it("gives the same object for an event that it has", () => {
    const cluster = makeCluster({ last_seq: 5 });
    expect(applyEvent(cluster, makeEvent(5, "note", { text: "old" }))).toBe(cluster);
  });

  it("takes nothing for a cluster that it does not know, but its creation", () => {
    expect(applyEvent(null, makeEvent(3, "note", { text: "?" }))).toBeNull();
    expect(applyEvent(null, makeEvent(1, "created", { cluster: makeCluster({ last_seq: 0 }) }))).toMatchObject({ last_seq: 1 });
  });

  it("ignores a type of tomorrow, but counts it", () => {
    const tomorrow = { ...makeEvent(2, "note", { text: "" }), type: "from_the_future" } as unknown as ClusterEvent;
    expect(applyEvent(makeCluster({ last_seq: 1 }), tomorrow)).toEqual(makeCluster({ last_seq: 2 }));
  });

  it("rounds halves to the even neighbour, as Python does", () => {
    const after = applyEvent(makeCluster({ last_seq: 1 }), makeEvent(2, "step_started", { step: "nodes", index: 2, total: 8 }));
    // 12.5
    expect(after?.progress?.percent).toBe(12);
  });
});

describe("foldList", () => {
  it("puts a new cluster on top, moves a known one on, and lets a deleted one go", () => {
    const known = makeCluster({ id: "a", last_seq: 4, phase: "deleting" });
    const fresh = makeCluster({ id: "b", last_seq: 0 });
    const events = [
      { ...makeEvent(1, "created", { cluster: fresh }), cluster_id: "b" },
      { ...makeEvent(9, "phase_changed", { from: "deleting", to: "deleted", reason: "Deleted" }), cluster_id: "a" },
    ];
    expect(foldList([known], events.slice(0, 1)).map((cluster) => cluster.id)).toEqual(["b", "a"]);
    expect(foldList([known], events).map((cluster) => cluster.id)).toEqual(["b"]);
  });

  it("leaves out what it cannot know", () => {
    expect(foldList([], [{ ...makeEvent(7, "note", { text: "" }), cluster_id: "x" }])).toEqual([]);
  });
});
