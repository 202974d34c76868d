import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Cluster } from "@/lib/api/client";
import { keys } from "@/lib/api/queries";
import { LabStream } from "@/lib/stream/lab-stream";
import { makeCluster, makeEvent, makeLine } from "./factories";
import { FakeWire } from "./fake-wire";

const cluster = makeCluster();
const topic = `cluster:${cluster.id}`;
let wire: FakeWire;
let cache: QueryClient;
let stream: LabStream;

beforeEach(() => {
  wire = new FakeWire();
  cache = new QueryClient();
  stream = new LabStream(
    cache,
    () => wire,
    (flush) => flush(),
  );
  stream.start();
  wire.hello();
});

afterEach(() => {
  stream.dispose();
  cache.clear();
});

const cached = () => cache.getQueryData<Cluster>(keys.cluster(cluster.id));
const listed = () => cache.getQueryData<Cluster[]>(keys.clusters)?.map(({ name, phase }) => `${name} ${phase}`);
const asked = () => wire.sent.filter((frame) => frame.topic === topic);

it("makes a cluster out of its events alone", () => {
  stream.followCluster(cluster.id);
  wire.says({ type: "events", topic, events: [makeEvent(1, "created", { cluster }), makeLine(2, "hello")] });
  expect(cached()).toEqual({ ...cluster, last_seq: 2 });
  expect(stream.history(cluster.id).read().lines.map((line) => line.text)).toEqual(["hello"]);
});

it("asks again after its cursor when something is missing, and writes nothing of what came too early", () => {
  stream.followCluster(cluster.id);
  wire.says({ type: "events", topic, events: [makeEvent(1, "created", { cluster })] });
  wire.says({ type: "events", topic, events: [makeEvent(3, "phase_changed", { from: "pending", to: "ready", reason: "Ready" })] });
  expect(cached()?.phase).toBe("pending");
  expect(asked().map(({ type, after }) => [type, after])).toEqual([
    ["subscribe", 0],
    ["unsubscribe", undefined],
    ["subscribe", 1],
  ]);
});

it("is behind from a lost connection, a lag or an interruption on until a bookmark says that it is not", () => {
  vi.useFakeTimers();
  stream.followCluster(cluster.id);
  const isCaughtUp = () => stream.history(cluster.id).read().caughtUp;
  const catchUp = () => wire.says({ type: "bookmark", topic, seq: 1 });
  wire.says({ type: "events", topic, events: [makeLine(1, "a")] });
  expect(isCaughtUp()).toBe(false);
  catchUp();
  expect(isCaughtUp()).toBe(true);
  wire.says({ type: "lagged", topic, from: 2, to: 3 });
  expect(isCaughtUp()).toBe(false);
  catchUp();
  wire.says({ type: "error", topic, code: "unavailable", detail: "PostgreSQL does not answer" });
  expect(isCaughtUp()).toBe(false);
  expect(stream.readConnection()).toEqual({ status: "live" });
  catchUp();
  expect(isCaughtUp()).toBe(true);
  wire.breaks(1012);
  vi.advanceTimersByTime(1000);
  wire.readyState = 1;
  wire.hello();
  expect(isCaughtUp()).toBe(false);
  catchUp();
  expect(isCaughtUp()).toBe(true);
  vi.useRealTimers();
});

it("goes on after the last line when a view is opened again, and asks nothing once it has ended", () => {
  const leave = stream.followCluster(cluster.id);
  wire.says({ type: "events", topic, events: [makeLine(1, "a"), makeLine(2, "b")] });
  leave();
  const leaveAgain = stream.followCluster(cluster.id);
  expect(asked().at(-1)).toMatchObject({ type: "subscribe", after: 2 });
  wire.says({ type: "end", topic, seq: 2 });
  leaveAgain();
  const before = asked().length;
  stream.followCluster(cluster.id);
  expect(asked()).toHaveLength(before);
});

it("keeps the list: a snapshot first, then what happens, and never an older state", () => {
  cache.setQueryData<Cluster[]>(keys.clusters, [makeCluster({ last_seq: 9, phase: "ready" })]);
  wire.says({ type: "snapshot", topic: "clusters", seq: 0, clusters: [makeCluster({ last_seq: 4, phase: "provisioning" })] });
  expect(listed()).toEqual(["demo ready"]);
  const events = [{ ...makeEvent(10, "phase_changed", { from: "ready", to: "deleting", reason: "Asked" }), cluster_id: cluster.id }];
  wire.says({ type: "events", topic: "clusters", events });
  expect(listed()).toEqual(["demo deleting"]);
});

it("forgets the oldest history when there are many", () => {
  const first = stream.history("0");
  for (let index = 1; index < 7; index += 1) stream.history(String(index));
  expect(stream.history("0")).not.toBe(first);
});

it("tells each warning of a lease once, to whoever listens", () => {
  const heard: unknown[] = [];
  const leave = stream.onLeaseWarning((warning) => heard.push(warning));
  const at = "2026-11-23T21:00:00Z";
  const warning = (seq: number) => ({ ...makeEvent(seq, "lease_expiring", { expires_at: at }), cluster_id: cluster.id });
  wire.says({ type: "events", topic: "clusters", events: [warning(7)] });
  // The topic of the one cluster says the same: that is no second warning.
  stream.followCluster(cluster.id);
  wire.says({ type: "events", topic, events: [makeEvent(1, "created", { cluster }), makeEvent(2, "lease_expiring", { expires_at: at })] });
  leave();
  wire.says({ type: "events", topic: "clusters", events: [warning(9)] });
  expect(heard).toEqual([{ clusterId: cluster.id, seq: 7, expiresAt: at }]);
});
