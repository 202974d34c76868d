import { beforeEach, describe, expect, it } from "vitest";
import { LabSocket, type Connection } from "@/lib/stream/socket";
import { FakeClock, FakeFollower, FakeWire } from "./fake-wire";

let wires: FakeWire[];
let clock: FakeClock;
let connections: Connection[];
let socket: LabSocket;
let random: number;

const wire = (): FakeWire => {
  const last = wires.at(-1);
  if (!last) throw new Error("nothing was opened");
  return last;
};

beforeEach(() => {
  wires = [];
  clock = new FakeClock();
  connections = [];
  random = 0.5;
  socket = new LabSocket({
    open: (protocol) => {
      expect(protocol).toBe("pyk8s.v1");
      const opened = new FakeWire();
      wires.push(opened);
      return opened;
    },
    random: () => random,
    clock,
    onConnection: (connection) => connections.push(connection),
  });
});

describe("subscribing", () => {
  it("waits for hello, then asks for a snapshot or for what comes after the cursor", () => {
    const list = new FakeFollower("clusters");
    const one = new FakeFollower("cluster:1");
    one.position = 7;
    socket.follow(list);
    socket.follow(one);
    socket.start();
    expect(wire().sent).toEqual([]);
    wire().hello();
    expect(wire().sent).toEqual([
      { type: "subscribe", topic: "clusters" },
      { type: "subscribe", topic: "cluster:1", after: 7, epoch: "e1" },
    ]);
    expect(connections.at(-1)).toEqual({ status: "live" });
  });

  it("hands a frame to the follower of its topic only, and ignores what it does not know", () => {
    const one = new FakeFollower("cluster:1");
    const two = new FakeFollower("cluster:2");
    socket.follow(one);
    socket.follow(two);
    socket.start();
    wire().hello();
    wire().says({ type: "bookmark", topic: "cluster:2", seq: 3 });
    wire().says({ type: "from_the_future", topic: "cluster:2" });
    wire().onmessage?.({ data: "not json" });
    expect(one.frames).toEqual([]);
    expect(two.frames).toEqual([{ type: "bookmark", topic: "cluster:2", seq: 3 }]);
  });

  it("unsubscribes, and says nothing for a follower that was replaced", () => {
    socket.start();
    wire().hello();
    const leaveOld = socket.follow(new FakeFollower("cluster:1"));
    const leaveNew = socket.follow(new FakeFollower("cluster:1"));
    leaveOld();
    expect(wire().sent.filter((frame) => frame.type === "unsubscribe")).toEqual([]);
    leaveNew();
    expect(wire().sent.at(-1)).toEqual({ type: "unsubscribe", topic: "cluster:1" });
  });
});

describe("coming back", () => {
  it("tells when the next try is, and goes on after the cursor", () => {
    const one = new FakeFollower("cluster:1");
    one.position = 1;
    socket.follow(one);
    socket.start();
    wire().hello();
    one.position = 42;
    wire().breaks(1012);
    expect(connections.at(-1)).toEqual({ status: "waiting", attempt: 1, retryAt: 250 });
    clock.advance(249);
    expect(wires).toHaveLength(1);
    clock.advance(1);
    expect(wires).toHaveLength(2);
    wire().hello();
    expect(wire().sent).toEqual([{ type: "subscribe", topic: "cluster:1", after: 42, epoch: "e1" }]);
    expect(one.beganAnew).toBe(0);
  });

  it("counts the attempts and forgets them once it is live", () => {
    socket.start();
    for (const wait of [500, 1000, 2000]) {
      wire().breaks(1006);
      expect(connections.at(-1)).toMatchObject({ status: "waiting", retryAt: clock.now() + wait });
      clock.advance(wait);
    }
    expect(connections.at(-1)).toEqual({ status: "connecting", attempt: 4 });
    wire().hello();
    wire().breaks(4408);
    expect(connections.at(-1)).toMatchObject({ status: "waiting", attempt: 1 });
  });

  it("waits at least as long as a server that goes away asks for", () => {
    socket.start();
    wire().hello();
    wire().says({ type: "goaway", retry_after_ms: 3000 });
    wire().breaks(1012);
    expect(connections.at(-1)).toMatchObject({ status: "waiting", retryAt: 3250 });
  });

  it("tries at once when somebody asks, and does not try twice", () => {
    socket.start();
    wire().breaks(1006);
    socket.retryNow();
    socket.retryNow();
    expect(wires).toHaveLength(2);
    clock.advance(60_000);
    expect(wires.length).toBeGreaterThan(2);
  });

  it("gives up a connection that has gone silent, after asking", () => {
    socket.start();
    wire().hello();
    clock.advance(30_000);
    expect(wire().sent.at(-1)).toMatchObject({ type: "ping" });
    clock.advance(29_999);
    expect(connections.at(-1)).toEqual({ status: "live" });
    clock.advance(1);
    expect(connections.at(-1)).toMatchObject({ status: "waiting" });
  });

  it("gives up a connection that never says hello", () => {
    socket.start();
    clock.advance(10_000);
    expect(connections.at(-1)).toMatchObject({ status: "waiting", attempt: 2 });
  });
});

describe("a topic that the server cannot serve now", () => {
  const refuse = () => wire().says({ type: "error", topic: "cluster:1", code: "unavailable", detail: "later" });
  const asked = () => wire().sent.filter((frame) => frame.type === "subscribe").length;

  it("is asked for again on the same connection, ever more rarely, and the follower hears of none of it", () => {
    const one = new FakeFollower("cluster:1");
    socket.follow(one);
    socket.start();
    wire().hello();
    for (const wait of [250, 500, 1000]) {
      const before = asked();
      refuse();
      clock.advance(wait - 1);
      expect(asked()).toBe(before);
      clock.advance(1);
      expect(asked()).toBe(before + 1);
    }
    expect(one.frames).toEqual([]);
    wire().says({ type: "bookmark", topic: "cluster:1", seq: 0 });
    refuse();
    clock.advance(250);
    expect(asked()).toBe(5);
    expect(wires).toHaveLength(1);
  });

  it("is not asked for when nobody wants it any more, or the connection is gone", () => {
    const leave = socket.follow(new FakeFollower("cluster:1"));
    socket.start();
    wire().hello();
    refuse();
    leave();
    clock.advance(1000);
    expect(asked()).toBe(1);
    socket.follow(new FakeFollower("cluster:1"));
    refuse();
    socket.dispose();
    expect(clock.pending).toBe(0);
  });
});

describe("beginning anew", () => {
  it("forgets everything when the log is another one", () => {
    const one = new FakeFollower("cluster:1");
    one.position = 9;
    socket.follow(one);
    socket.start();
    wire().hello("e1");
    wire().breaks(1006);
    clock.advance(1000);
    wire().hello("e2");
    expect(one.beganAnew).toBe(1);
    expect(wire().sent).toEqual([{ type: "subscribe", topic: "cluster:1", after: 0, epoch: "e2" }]);
  });

  it("does so when the server does not know its position", () => {
    const one = new FakeFollower("cluster:1");
    one.position = 9;
    socket.follow(one);
    socket.start();
    wire().hello();
    wire().breaks(4510);
    expect(one.beganAnew).toBe(1);
    expect(connections.at(-1)).toMatchObject({ status: "waiting" });
  });
});

describe("stopping", () => {
  it.each([
    [4501, "signed_out"],
    [4500, "refused"],
    [4503, "refused"],
  ])("does not come back after %i", (code, reason) => {
    socket.start();
    wire().hello();
    wire().breaks(code);
    expect(connections.at(-1)).toEqual({ status: "stopped", reason });
    expect(clock.pending).toBe(0);
  });

  it("hangs up and leaves no timer behind", () => {
    socket.start();
    wire().hello();
    socket.dispose();
    expect(wire().closedWith).toBe(1000);
    expect(clock.pending).toBe(0);
    socket.retryNow();
    expect(wires).toHaveLength(1);
  });

  it("can be started again: effects run twice in development", () => {
    const list = new FakeFollower("clusters");
    socket.follow(list);
    socket.start();
    socket.dispose();
    socket.start();
    wire().hello();
    expect(wire().sent).toEqual([{ type: "subscribe", topic: "clusters" }]);
  });
});
