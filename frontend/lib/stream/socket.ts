import { backoff } from "./backoff";
import { parseFrame, SUBPROTOCOL, verdict, type ClientFrame, type ServerFrame } from "./protocol";

/** What the page needs of a WebSocket. */
export interface Wire {
  readyState: number;
  send(text: string): void;
  close(code?: number): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
}

export interface Clock {
  now: () => number;
  /** Calls back once; gives the way to take it back. */
  after: (milliseconds: number, callback: () => void) => () => void;
}

export type Connection =
  | { status: "connecting"; attempt: number }
  | { status: "live" }
  | { status: "waiting"; attempt: number; retryAt: number }
  | { status: "stopped"; reason: "signed_out" | "refused" };

/** One thing that the page follows. */
export interface Follower {
  topic: string;
  /** The last seq that it has; null asks for a snapshot. */
  cursor(): number | null;
  receive(frame: ServerFrame): void;
  /** It was asked for what comes after the cursor: until a bookmark says so, there may be more. */
  asked?(): void;
  /** The log behind the cursor is another one now: forget everything. */
  startOver(): void;
}

export interface SocketOptions {
  open: (protocol: string) => Wire;
  /** From 0 up to 1. */
  random: () => number;
  clock: Clock;
  onConnection: (connection: Connection) => void;
}

const OPEN = 1;
const CONNECT_TIMEOUT_MS = 10_000;
const SILENCE_FACTOR = 3;
/** The code of an error that will pass. */
const NOT_NOW = "unavailable";
/** Who asks again after an interruption may be told so: it goes on anyway. */
const ALREADY = "already_subscribed";

/** One connection to the server that comes back by itself and carries on where it stopped. */
export class LabSocket {
  private readonly followers = new Map<string, Follower>();
  private wire: Wire | null = null;
  private epoch: string | null = null;
  private greeted = false;
  private attempt = 0;
  private heartbeatSeconds = 20;
  private goawayMs: number | null = null;
  /** What the server cannot serve now, and how often it has said so in a row. */
  private readonly interrupted = new Map<string, { times: number; cancel: () => void }>();
  private cancelTimer: () => void = () => undefined;
  private cancelWatch: () => void = () => undefined;
  private stopped = true;

  constructor(private readonly options: SocketOptions) {}

  start(): void {
    this.stopped = false;
    if (this.wire === null) this.connect();
  }

  /** Does not wait for the next try: somebody is looking. */
  retryNow(): void {
    if (this.stopped || this.wire !== null) return;
    this.cancelTimer();
    this.connect();
  }

  follow(follower: Follower): () => void {
    this.followers.set(follower.topic, follower);
    this.subscribe(follower);
    return () => {
      if (this.followers.get(follower.topic) !== follower) return;
      this.followers.delete(follower.topic);
      this.forgetInterruption(follower.topic);
      this.send({ type: "unsubscribe", topic: follower.topic });
    };
  }

  /** Hangs up for good, or until the next start(): the followers keep their cursors. */
  dispose(): void {
    this.stopped = true;
    this.drop();
  }

  private connect(): void {
    this.attempt += 1;
    this.options.onConnection({ status: "connecting", attempt: this.attempt });
    const wire = this.options.open(SUBPROTOCOL);
    this.wire = wire;
    wire.onmessage = ({ data }) => {
      if (wire === this.wire && typeof data === "string") this.receive(data);
    };
    wire.onclose = ({ code }) => {
      if (wire === this.wire) this.closed(code);
    };
    this.watchSilence(CONNECT_TIMEOUT_MS);
  }

  private receive(text: string): void {
    this.watchSilence(this.heartbeatSeconds * SILENCE_FACTOR * 1000);
    const frame = parseFrame(text);
    if (frame === null) return;
    if (frame.type === "hello") {
      this.hello(frame);
    } else if (frame.type === "goaway") {
      this.goawayMs = frame.retry_after_ms;
    } else if ("topic" in frame && frame.topic) {
      if (frame.type === "error" && frame.code === NOT_NOW) this.askLater(frame.topic);
      else if (frame.type === "error" && frame.code === ALREADY) return;
      else this.deliver(frame.topic, frame);
    }
  }

  private deliver(topic: string, frame: ServerFrame): void {
    this.forgetInterruption(topic);
    this.followers.get(topic)?.receive(frame);
  }

  /** The server keeps the connection and cannot read the topic: it is asked again, ever more rarely. */
  private askLater(topic: string): void {
    const times = (this.interrupted.get(topic)?.times ?? 0) + 1;
    this.forgetInterruption(topic);
    const cancel = this.options.clock.after(backoff(times, this.options.random), () => {
      const follower = this.followers.get(topic);
      if (follower) this.subscribe(follower);
    });
    this.interrupted.set(topic, { times, cancel });
    this.followers.get(topic)?.asked?.();
  }

  private forgetInterruption(topic: string): void {
    this.interrupted.get(topic)?.cancel();
    this.interrupted.delete(topic);
  }

  private hello(frame: Extract<ServerFrame, { type: "hello" }>): void {
    this.attempt = 0;
    this.heartbeatSeconds = frame.heartbeat_seconds;
    if (this.epoch !== null && this.epoch !== frame.epoch) this.startOver();
    this.epoch = frame.epoch;
    this.greeted = true;
    this.options.onConnection({ status: "live" });
    for (const follower of this.followers.values()) this.subscribe(follower);
  }

  private subscribe(follower: Follower): void {
    if (!this.greeted || this.epoch === null) return;
    const after = follower.cursor();
    this.send({ type: "subscribe", topic: follower.topic, ...(after === null ? {} : { after, epoch: this.epoch }) });
    follower.asked?.();
  }

  private send(frame: ClientFrame): void {
    if (this.wire?.readyState === OPEN) this.wire.send(JSON.stringify(frame));
  }

  private startOver(): void {
    for (const follower of this.followers.values()) follower.startOver();
  }

  private closed(code: number): void {
    this.drop();
    const what = verdict(code);
    if (what === "sign_in" || what === "stop") {
      this.options.onConnection({ status: "stopped", reason: what === "sign_in" ? "signed_out" : "refused" });
      return;
    }
    if (what === "start_over") this.startOver();
    const wait = (this.goawayMs ?? 0) + backoff(this.attempt + 1, this.options.random);
    this.goawayMs = null;
    this.options.onConnection({ status: "waiting", attempt: this.attempt + 1, retryAt: this.options.clock.now() + wait });
    this.cancelTimer = this.options.clock.after(wait, () => this.connect());
  }

  /** A connection can die without a word: after half the patience it is asked, after all of it given up. */
  private watchSilence(milliseconds: number): void {
    this.cancelWatch();
    this.cancelWatch = this.options.clock.after(milliseconds / 2, () => {
      if (this.greeted) this.send({ type: "ping", nonce: "still there?" });
      this.cancelWatch = this.options.clock.after(milliseconds / 2, () => this.closed(1006));
    });
  }

  private drop(): void {
    this.cancelTimer();
    this.cancelWatch();
    for (const topic of [...this.interrupted.keys()]) this.forgetInterruption(topic);
    const { wire } = this;
    this.wire = null;
    this.greeted = false;
    if (wire === null) return;
    wire.onmessage = null;
    wire.onclose = null;
    wire.close(1000);
  }
}
