import { readdirSync, readFileSync } from "node:fs";
import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LabStream } from "@/lib/stream/lab-stream";
import { FakeWire } from "./fake-wire";

const GOLDEN = new URL("../../tests/golden/stream/", import.meta.url);

interface Golden {
  topic: string;
  connections: { frames: Record<string, unknown>[]; close: number | null }[];
  expect: { asked_after: number[]; events: number[]; outcome: "ended" | "gap" | "refused" };
}

/** Plays the server of a golden file to a whole stream, and tells what came of it. */
function play(golden: Golden): Golden["expect"] {
  const wires: FakeWire[] = [];
  const cache = new QueryClient();
  const stream = new LabStream(
    cache,
    () => {
      const wire = new FakeWire();
      wires.push(wire);
      return wire;
    },
    (flush) => flush(),
  );
  const asked = () => wires.flatMap((wire) => wire.sent).filter((frame) => frame.type === "subscribe" && frame.topic === golden.topic);
  const id = golden.topic.replace("cluster:", "");
  stream.followCluster(id);
  stream.start();
  golden.connections.forEach((connection, index) => {
    while (wires.length <= index) vi.advanceTimersToNextTimer();
    const wire = wires[index];
    if (!wire) throw new Error("no connection was made");
    wire.hello();
    for (const frame of connection.frames) {
      const before = asked().length;
      wire.says(frame);
      if (frame.type === "error" && frame.code === "unavailable") while (asked().length === before) vi.advanceTimersToNextTimer();
    }
    if (connection.close !== null) wire.breaks(connection.close);
  });
  const { lines, facts, ended } = stream.history(id).read();
  const after = asked().map((frame) => frame.after as number);
  const outcome = ended ? "ended" : stream.readConnection().status === "stopped" ? "refused" : "gap";
  // Where a program ends with an error, the page fetches what is missing.
  if (outcome === "gap") expect(wires.at(-1)?.sent.slice(-2)).toMatchObject([{ type: "unsubscribe" }, { type: "subscribe", after: after.pop() }]);
  stream.dispose();
  cache.clear();
  return { asked_after: after, events: [...lines, ...facts].map(({ seq }) => seq).sort((a, b) => a - b), outcome };
}

describe("the golden files of the stream, which pytest reads too", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  const names = readdirSync(GOLDEN).filter((name) => name.endsWith(".json"));
  it("are there", () => expect(names.length).toBeGreaterThan(0));
  it.each(names)("%s", (name) => {
    const golden = JSON.parse(readFileSync(new URL(name, GOLDEN), "utf8")) as Golden;
    expect(play(golden)).toEqual(golden.expect);
  });
});
