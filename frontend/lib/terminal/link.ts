import type { Clock } from "@/lib/stream/socket";
import { beginLink, isOver, reduceLink, type LinkEvent, type LinkState } from "./link-state";
import { parseTerminalFrame, type TerminalAsk } from "./protocol";

/** What the page needs of a terminal's WebSocket. */
export interface TerminalWire {
  readyState: number;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(): void;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
}

export interface Size {
  rows: number;
  cols: number;
}

export interface Explanation {
  title: string;
  detail: string;
  fix: string | null;
}

export interface LinkOptions {
  /** Opens a connection; the address has `query`. */
  open: (query: URLSearchParams) => TerminalWire;
  /** What a new terminal is for: `pod`, `container`. */
  wish: Readonly<Record<string, string>>;
  session: string | null;
  size: () => Size;
  clock: Clock;
  random: () => number;
  /** Asks by HTTP why there is no connection. Null: no reason to stop trying. */
  explain: () => Promise<Explanation | null>;
  onState: (state: LinkState) => void;
  /** Shows bytes; `shown` is called when they are. */
  onBytes: (bytes: Uint8Array, shown: () => void) => void;
}

const OPEN = 1;
const CONNECT_TIMEOUT_MS = 15_000;
/** After so long without a word the server is asked for one, and has as long again. */
const SILENCE_MS = 10_000;
const ACK_BYTES = 64 * 1024;
/** The server takes 64 KiB in a frame. */
const PIECE_BYTES = 16 * 1024;
const KEPT_BYTES = 4 * 1024;

/** One connection to one terminal, that comes back by itself and goes on at the byte where it was. */
export class TerminalLink {
  private state: LinkState;
  private wire: TerminalWire | null = null;
  private typed = new Uint8Array();
  private shown = 0;
  private acknowledged = 0;
  private cancelTimer: () => void = () => undefined;
  private cancelWatch: () => void = () => undefined;

  constructor(private readonly options: LinkOptions) {
    this.state = beginLink(options.session);
  }

  start(): void {
    this.dial();
  }

  /** Does not wait for the next try: somebody is looking, or the network is back. */
  retryNow(): void {
    if (this.state.phase.status === "waiting") this.dial();
    else if (this.state.phase.status === "live") this.ask({ type: "ping", nonce: "there?" }, SILENCE_MS);
  }

  /** The network is gone, says the browser: its sockets would not notice for minutes. */
  networkLost(): void {
    if (this.wire !== null) this.lost(1006);
  }

  type(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.state.phase.status === "connecting") this.keep(bytes);
    if (this.state.phase.status !== "live") return;
    for (let first = 0; first < bytes.length; first += PIECE_BYTES) {
      this.send(bytes.subarray(first, first + PIECE_BYTES));
    }
  }

  /** What is typed while a connection is being made goes out with it; what is typed without any is not: nobody sees it. */
  private keep(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.typed.length + bytes.length > KEPT_BYTES) return;
    this.typed = new Uint8Array([...this.typed, ...bytes]);
  }

  resize({ rows, cols }: Size): void {
    if (this.state.phase.status === "live") this.send(JSON.stringify({ type: "resize", rows, cols } satisfies TerminalAsk));
  }

  dispose(): void {
    this.drop();
  }

  private dial(): void {
    this.drop();
    this.apply({ type: "dial" });
    const { rows, cols } = this.options.size();
    const query = new URLSearchParams({ rows: String(rows), cols: String(cols) });
    const { session, received } = this.state;
    if (session === null) for (const [name, value] of Object.entries(this.options.wish)) query.set(name, value);
    else query.set("session", session);
    if (session !== null && received !== null) query.set("offset", String(received));
    const wire = this.options.open(query);
    this.wire = wire;
    wire.onmessage = ({ data }) => {
      if (wire === this.wire) this.receive(data);
    };
    wire.onclose = ({ code }) => {
      if (wire === this.wire) this.lost(code);
    };
    this.watch(CONNECT_TIMEOUT_MS);
  }

  private receive(data: unknown): void {
    this.watch(SILENCE_MS);
    if (data instanceof ArrayBuffer) {
      this.apply({ type: "bytes", count: data.byteLength });
      const upTo = this.state.received ?? 0;
      const wire = this.wire;
      this.options.onBytes(new Uint8Array(data), () => {
        if (wire === this.wire) this.acknowledge(upTo);
      });
      return;
    }
    const frame = typeof data === "string" ? parseTerminalFrame(data) : null;
    if (frame === null) return;
    this.apply({ type: "frame", frame });
    if (frame.type === "attached") {
      this.acknowledged = frame.offset;
      // From the first one on the server keeps close to what is shown.
      this.send(JSON.stringify({ type: "ack", offset: frame.offset } satisfies TerminalAsk));
      // The window may have changed since the address was written.
      this.resize(this.options.size());
      const { typed } = this;
      this.typed = new Uint8Array();
      this.type(typed);
    }
  }

  private acknowledge(upTo: number): void {
    this.shown = upTo;
    if (this.shown - this.acknowledged < ACK_BYTES) return;
    this.acknowledged = this.shown;
    this.send(JSON.stringify({ type: "ack", offset: this.shown } satisfies TerminalAsk));
  }

  private lost(code: number): void {
    this.typed = new Uint8Array();
    const wasNew = this.state.phase.status === "connecting" && this.state.told === null;
    this.drop();
    this.apply({ type: "closed", code, now: this.options.clock.now(), random: this.options.random() });
    if (this.state.phase.status !== "waiting") return;
    this.cancelTimer = this.options.clock.after(Math.max(0, this.state.phase.retryAt - this.options.clock.now()), () => this.dial());
    if (wasNew) void this.explain();
  }

  private async explain(): Promise<void> {
    const why = await this.options.explain();
    if (why === null || this.state.phase.status !== "waiting") return;
    this.drop();
    this.apply({ type: "explained", ...why });
  }

  /** A socket can be dead without anybody being told: whoever says nothing is asked, and then given up. */
  private watch(milliseconds: number): void {
    this.cancelWatch();
    this.cancelWatch = this.options.clock.after(milliseconds, () => {
      if (this.state.phase.status === "live") this.ask({ type: "ping", nonce: "there?" }, SILENCE_MS);
      else this.lost(1006);
    });
  }

  private ask(frame: TerminalAsk, patienceMs: number): void {
    this.send(JSON.stringify(frame));
    this.cancelWatch();
    this.cancelWatch = this.options.clock.after(patienceMs, () => this.lost(1006));
  }

  private send(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.wire?.readyState === OPEN) this.wire.send(data);
  }

  private drop(): void {
    this.cancelTimer();
    this.cancelWatch();
    const wire = this.wire;
    this.wire = null;
    wire?.close();
  }

  private apply(event: LinkEvent): void {
    const before = this.state;
    this.state = reduceLink(before, event);
    if (isOver(this.state)) this.cancelWatch();
    if (this.state.phase !== before.phase) this.options.onState(this.state);
  }
}
