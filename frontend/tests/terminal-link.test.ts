import { describe, expect, it } from "vitest";
import { TerminalLink, type Explanation, type TerminalWire } from "@/lib/terminal/link";
import { beginLink, endingInWords, reduceLink, type LinkState } from "@/lib/terminal/link-state";
import { FakeClock } from "./fake-wire";

class Wire implements TerminalWire {
  readyState = 1;
  sent: (string | Uint8Array)[] = [];
  onmessage: TerminalWire["onmessage"] = null;
  onclose: TerminalWire["onclose"] = null;

  constructor(readonly query: URLSearchParams) {}

  send(data: string | Uint8Array): void {
    this.sent.push(data);
  }
  close(): void {
    this.readyState = 3;
  }
  says(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  prints(count: number): void {
    this.onmessage?.({ data: new ArrayBuffer(count) });
  }
  get asked(): Record<string, unknown>[] {
    return this.sent.filter((data) => typeof data === "string").map((text) => JSON.parse(text) as Record<string, unknown>);
  }
}

function setUp({ session = null, explanation = null }: { session?: string | null; explanation?: Explanation | null } = {}) {
  const clock = new FakeClock();
  const wires: Wire[] = [];
  const states: LinkState[] = [];
  const shown: (() => void)[] = [];
  const link = new TerminalLink({
    open: (query) => {
      const wire = new Wire(query);
      wires.push(wire);
      return wire;
    },
    wish: { pod: "default/web" },
    session,
    size: () => ({ rows: 30, cols: 100 }),
    clock,
    random: () => 0.5,
    explain: () => Promise.resolve(explanation),
    onState: (state) => states.push(state),
    onBytes: (_, done) => shown.push(done),
  });
  link.start();
  const last = <T>(list: T[]): T => {
    const found = list.at(-1);
    if (found === undefined) throw new Error("there is none");
    return found;
  };
  return { clock, wires, states, shown, link, wire: () => last(wires), phase: () => last(states).phase };
}

const ATTACHED = { type: "attached", session: "s1", offset: 0, lost: 0 };

describe("the link to a terminal", () => {
  it("opens a new one, and goes on at the byte where it was", () => {
    const { wire, wires, clock, phase } = setUp();
    expect(wire().query.toString()).toBe("rows=30&cols=100&pod=default%2Fweb");
    wire().says(ATTACHED);
    expect(phase()).toEqual({ status: "live" });
    wire().prints(1000);
    wire().prints(500);
    wire().onclose?.({ code: 1006 });
    expect(phase()).toEqual({ status: "waiting", retryAt: 250 });
    clock.advance(250);
    expect(wires).toHaveLength(2);
    expect(wire().query.toString()).toBe("rows=30&cols=100&session=s1&offset=1500");
  });

  it("sends what was typed while it connected, and forgets what was typed without a connection", () => {
    const { link, wire, clock } = setUp();
    const type = (text: string): void => link.type(new TextEncoder().encode(text));
    const typed = (): string[] =>
      wire()
        .sent.filter((data) => typeof data !== "string")
        .map((data) => new TextDecoder().decode(data));
    type("ls");
    type("\n");
    type("x".repeat(5000));
    expect(typed()).toEqual([]);
    wire().says(ATTACHED);
    expect(typed()).toEqual(["ls\n"]);
    wire().onclose?.({ code: 1006 });
    type("lost");
    clock.advance(250);
    type("kept");
    wire().says(ATTACHED);
    expect(typed()).toEqual(["kept"]);
  });

  it("begins with the oldest byte when the page was loaded anew", () => {
    const { wire } = setUp({ session: "s9" });
    expect(wire().query.toString()).toBe("rows=30&cols=100&session=s9");
  });

  it("waits longer each time, and begins anew once it was live", () => {
    const { wire, clock, phase } = setUp({ session: "s1" });
    const waits: number[] = [];
    for (let time = 0; time < 8; time += 1) {
      wire().onclose?.({ code: 1006 });
      const now = phase();
      if (now.status !== "waiting") throw new Error(now.status);
      waits.push(now.retryAt - clock.now());
      clock.advance(now.retryAt - clock.now());
    }
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
    wire().says(ATTACHED);
    wire().onclose?.({ code: 1012 });
    expect(phase()).toMatchObject({ status: "waiting", retryAt: clock.now() + 250 });
  });

  it("asks a server that says nothing, and gives it up when it stays silent", () => {
    const { wire, clock, phase } = setUp();
    wire().says(ATTACHED);
    clock.advance(10_000);
    expect(wire().asked.at(-1)).toEqual({ type: "ping", nonce: "there?" });
    wire().says({ type: "pong", nonce: "there?" });
    clock.advance(9_999);
    expect(phase().status).toBe("live");
    clock.advance(1 + 10_000);
    expect(phase().status).toBe("waiting");
  });

  it("does not wait when the browser says that the network went, and when it came back", () => {
    const { wires, wire, link, phase } = setUp();
    wire().says(ATTACHED);
    link.networkLost();
    expect(phase().status).toBe("waiting");
    link.retryNow();
    expect(wires).toHaveLength(2);
  });

  it("acknowledges what is shown, and not what has only come", () => {
    const { wire, shown } = setUp();
    wire().says(ATTACHED);
    expect(wire().asked[0]).toEqual({ type: "ack", offset: 0 });
    wire().prints(60_000);
    wire().prints(60_000);
    expect(wire().asked.filter(({ type }) => type === "ack")).toHaveLength(1);
    shown[0]?.();
    expect(wire().asked.filter(({ type }) => type === "ack")).toHaveLength(1);
    shown[1]?.();
    expect(wire().asked.at(-1)).toEqual({ type: "ack", offset: 120_000 });
  });

  it("sends what is typed in pieces, and nothing while it is not live", () => {
    const { wire, link } = setUp();
    link.resize({ rows: 1, cols: 1 });
    expect(wire().sent).toEqual([]);
    wire().says(ATTACHED);
    link.type(new Uint8Array(40_000));
    expect(wire().sent.filter((data) => typeof data !== "string").map((piece) => piece.length)).toEqual([16_384, 16_384, 7232]);
  });

  it.each([
    [{ type: "exit", code: 3, reason: "exited" }, 1000, "The shell has ended with exit code 3."],
    [{ type: "exit", code: null, reason: "signed_out" }, 1000, "The shell was ended: whoever opened it has signed out."],
    [{ type: "error", code: "no_such_terminal", detail: "no" }, 4504, "The shell is gone: it has ended, or the server was restarted."],
  ])("ends by %j", (frame, code, words) => {
    const { wire, wires, clock, phase } = setUp({ session: "s1" });
    wire().says(frame);
    wire().onclose?.({ code });
    const now = phase();
    expect(now.status === "ended" && endingInWords(now)).toBe(words);
    clock.advance(100_000);
    expect(wires).toHaveLength(1);
  });

  it("says why the server refused", () => {
    const { wire, wires, clock, phase } = setUp();
    wire().says({ type: "error", code: "too_many_terminals", detail: "you have 10", fix: "close one" });
    wire().onclose?.({ code: 4505 });
    expect(phase()).toEqual({ status: "refused", title: null, detail: "you have 10", fix: "close one" });
    clock.advance(100_000);
    expect(wires).toHaveLength(1);
  });

  it("asks by HTTP why a handshake failed, and stops when there is a reason", async () => {
    const explanation = { title: "Not found", detail: "no such cluster", fix: null };
    const { wire, wires, clock, phase } = setUp({ explanation });
    wire().onclose?.({ code: 1006 });
    await Promise.resolve();
    await Promise.resolve();
    expect(phase()).toEqual({ status: "refused", ...explanation });
    clock.advance(100_000);
    expect(wires).toHaveLength(1);
  });

  it("forgets a position that the server does not know", () => {
    const live = reduceLink(beginLink("s1"), { type: "frame", frame: { type: "attached", session: "s1", offset: 70, lost: 0 } });
    const closed = reduceLink(live, { type: "closed", code: 4510, now: 0, random: 0 });
    expect(closed.received).toBeNull();
    expect(closed.phase.status).toBe("waiting");
  });
});
