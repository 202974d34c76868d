import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { append, NO_TEXT } from "@/lib/resources/log-text";
import { keepReading, type Reading } from "@/lib/resources/reading";
import { NOTHING_KNOWN, reduce, type PodRow, type Row } from "@/lib/resources/reduce";
import { eventsOf, group, matches } from "@/lib/resources/select";
import { SseReader } from "@/lib/resources/sse";

const GOLDEN = new URL("../../tests/golden/resources_stream/", import.meta.url);

interface Golden {
  pieces: string[];
  expect: { rows: Row[]; more: Record<string, number>; away: string | null; ended: boolean };
}

describe("the golden files of what is inside a cluster, which pytest reads too", () => {
  const names = readdirSync(GOLDEN).filter((name) => name.endsWith(".json"));
  it("are there", () => expect(names.length).toBeGreaterThan(0));
  it.each(names)("%s", (name) => {
    const golden = JSON.parse(readFileSync(new URL(name, GOLDEN), "utf8")) as Golden;
    const sse = new SseReader();
    const view = golden.pieces.flatMap((piece) => sse.push(piece)).reduce(reduce, NOTHING_KNOWN);
    expect({ rows: [...view.rows.values()], more: view.more, away: view.away?.code ?? null, ended: view.ended }).toEqual(golden.expect);
  });
});

function pod(name: string, more: Partial<PodRow> = {}): PodRow {
  return {
    uid: `uid-${name}`,
    name,
    created_at: null,
    kind: "Pod",
    namespace: "default",
    status: "Running",
    health: "ok",
    ready: 1,
    total: 1,
    restarts: 0,
    restarted_at: null,
    node: null,
    ip: null,
    owner: null,
    message: null,
    containers: [],
    ...more,
  };
}

function event(name: string, object: string, last_seen: string): Row {
  return { uid: name, name, created_at: null, kind: "Event", namespace: "default", type: "Normal", reason: "Pulled", object, message: "", count: 1, last_seen };
}

const viewOf = (...rows: Row[]) => ({ ...NOTHING_KNOWN, rows: new Map(rows.map((row) => [row.uid, row])) });

describe("what is shown", () => {
  it("has first what somebody should look at, and last what came with the cluster", () => {
    const rows = [pod("web"), pod("coredns", { namespace: "kube-system" }), pod("api"), pod("broken", { health: "bad" }), pod("old", { health: "done" })];
    expect(group(viewOf(...rows)).pods.map(({ name }) => name)).toEqual(["broken", "api", "web", "coredns", "old"]);
  });
  it("matches every word, in any field, and the namespace", () => {
    const row = pod("web-1", { status: "CrashLoopBackOff", namespace: "shop" });
    expect(matches(row, "", "WEB crash")).toBe(true);
    expect(matches(row, "", "web running")).toBe(false);
    expect(matches(row, "shop", "")).toBe(true);
    expect(matches(row, "default", "")).toBe(false);
  });
  it("gives a pod its own events, the last one first", () => {
    const view = viewOf(event("a", "Pod/web", "2026-01-01"), event("b", "Pod/web-2", "2026-01-02"), event("c", "Pod/web", "2026-01-03"));
    expect(eventsOf(view, pod("web")).map(({ uid }) => uid)).toEqual(["c", "a"]);
  });
});

describe("the text of a log", () => {
  const texts = (pieces: string[], most?: number) => pieces.reduce((log, piece) => append(log, piece, most), NO_TEXT);
  it("is cut into lines wherever the pieces end", () => {
    const log = texts(["on", "e\ntw", "o\n\nthree"]);
    expect(log.lines.map(({ text }) => text)).toEqual(["one", "two", ""]);
    expect(log.rest).toBe("three");
  });
  it("shows what a progress line says last", () => {
    expect(texts(["10 %\r50 %\r100 %\r\n"]).lines.map(({ text }) => text)).toEqual(["100 %"]);
  });
  it("is bounded, and goes on counting", () => {
    const log = texts(["1\n2\n3\n", "4\n5\n", "6\n"], 4);
    expect(log.lines.map(({ seq, text }) => [seq, text])).toEqual([4, 5, 6].map((seq) => [seq, `${seq}`]));
    expect(log.dropped).toBe(3);
  });
  it("breaks a line that has no end", () => {
    const log = texts(["x".repeat(40_000)]);
    expect(log.rest).toBe("");
    expect(log.lines[0]?.text.length).toBe(16_384);
  });
});

describe("reading a long answer", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  function read(answers: (() => Promise<Response>)[], again = () => true) {
    vi.useFakeTimers();
    const seen: Reading["status"][] = [];
    const pieces: string[] = [];
    let asked = 0;
    vi.stubGlobal("fetch", () => {
      asked += 1;
      return (answers.shift() ?? (() => new Promise<Response>(() => undefined)))();
    });
    const stop = keepReading({
      url: "/x",
      accept: "text/plain",
      silenceMs: null,
      onBegin: () => pieces.splice(0),
      onPiece: (piece) => pieces.push(piece),
      onReading: ({ status }) => seen.push(status),
      again,
    });
    return { seen, pieces, stop, asked: () => asked };
  }
  const says = (text: string) => () => Promise.resolve(new Response(text));
  const refuses = (status: number) => () => Promise.resolve(new Response(JSON.stringify({ code: "x", detail: "no", status, title: "No" }), { status }));

  it("asks again after a break, and begins anew", async () => {
    const { seen, pieces, stop } = read([says("one"), () => Promise.reject(new TypeError("lost")), refuses(503), says("two")]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(pieces).toEqual(["two"]);
    expect(seen.filter((status) => status === "live")).toHaveLength(2);
    expect(seen).toContain("waiting");
    expect(seen.at(-1)).toBe("connecting");
    stop();
  });
  it("takes a refusal as it is", async () => {
    const { seen, asked } = read([refuses(409)]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([seen, asked()]).toEqual([["connecting", "refused"], 1]);
  });
  it("ends when there is nothing more to come", async () => {
    const { seen, pieces } = read([says("all")], () => false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([seen.at(-1), pieces]).toEqual(["ended", ["all"]]);
  });
  it("stops when it is told to", async () => {
    const { stop, asked } = read([says("one"), says("two")]);
    await vi.advanceTimersByTimeAsync(0);
    stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked()).toBe(1);
  });
});
