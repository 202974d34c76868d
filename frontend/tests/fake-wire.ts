import type { ServerFrame } from "@/lib/stream/protocol";
import type { Clock, Follower, Wire } from "@/lib/stream/socket";

/** A WebSocket whose other end is the test. */
export class FakeWire implements Wire {
  readyState = 1;
  sent: Record<string, unknown>[] = [];
  closedWith: number | undefined;
  onopen: Wire["onopen"] = null;
  onmessage: Wire["onmessage"] = null;
  onclose: Wire["onclose"] = null;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(code?: number): void {
    this.readyState = 3;
    this.closedWith = code;
  }

  says(frame: ServerFrame | Record<string, unknown>): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  breaks(code: number): void {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  hello(epoch = "e1"): void {
    this.says({ type: "hello", protocol: "pyk8s.v1", server_version: "0", epoch, heartbeat_seconds: 20 });
  }
}

/** A clock that moves when it is told to. */
export class FakeClock implements Clock {
  private time = 0;
  private timers: { at: number; callback: () => void }[] = [];

  readonly now = (): number => this.time;
  readonly after = (milliseconds: number, callback: () => void): (() => void) => {
    const timer = { at: this.time + milliseconds, callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  };

  advance(milliseconds: number): void {
    const until = this.time + milliseconds;
    for (;;) {
      const next = this.timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.time = next.at;
      next.callback();
    }
    this.time = until;
  }

  get pending(): number {
    return this.timers.length;
  }
}

/** Remembers what it was given. */
export class FakeFollower implements Follower {
  frames: ServerFrame[] = [];
  beganAnew = 0;
  position: number | null = null;

  constructor(readonly topic: string) {}

  cursor(): number | null {
    return this.position;
  }

  receive(frame: ServerFrame): void {
    this.frames.push(frame);
  }

  startOver(): void {
    this.beganAnew += 1;
    this.position = 0;
  }
}

