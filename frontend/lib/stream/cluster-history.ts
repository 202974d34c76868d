import type { ClusterEvent, Phase, Step } from "@/lib/api/client";
import { secondsBetween } from "@/lib/text/time";

export interface LogLine {
  seq: number;
  at: string;
  text: string;
  /** `attempt`: no line of the log, but where another attempt begins. */
  stream: "stdout" | "stderr" | "lab" | "attempt";
  /** When the attempt began that it belongs to. */
  startedAt: string | null;
}

export interface StepRecord {
  step: Step;
  startedAt: string;
  /** Null while it runs. */
  durationSeconds: number | null;
  /** `stopped`: the build ended in the middle of it. */
  outcome: "running" | "succeeded" | "failed" | "stopped";
}

export type Fact = Exclude<ClusterEvent, { type: "log_line" }>;

/** What the page sees of a history at one moment. `lines` only ever grows: `rowCount` is what counts. */
export interface HistoryView {
  lines: readonly LogLine[];
  rowCount: number;
  /** Of the rows, those that are lines of the log. */
  lineCount: number;
  facts: readonly Fact[];
  steps: readonly StepRecord[];
  totalSteps: number | null;
  startedAt: string | null;
  caughtUp: boolean;
  ended: boolean;
}

export const NO_HISTORY: HistoryView = {
  lines: [],
  rowCount: 0,
  lineCount: 0,
  facts: [],
  steps: [],
  totalSteps: null,
  startedAt: null,
  caughtUp: false,
  ended: false,
};

/** Every event of one cluster, kept outside React: a flood appends to an array, and the page hears of it once per frame. */
export class ClusterHistory {
  private lines: LogLine[] = [];
  private dividers = 0;
  private facts: Fact[] = [];
  private steps: StepRecord[] = [];
  private totalSteps: number | null = null;
  private startedAt: string | null = null;
  private caughtUp = false;
  private ended = false;
  private view: HistoryView = NO_HISTORY;
  private flushing = false;
  private readonly listeners = new Set<() => void>();
  lastSeq = 0;

  /** `schedule` runs a callback before the next paint. */
  constructor(private readonly schedule: (flush: () => void) => void) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly read = (): HistoryView => this.view;

  /** Takes events in order, skips what it has. False: something is missing in between, nothing was taken, ask again after `lastSeq`. */
  append(events: readonly ClusterEvent[]): boolean {
    const fresh = events.filter((event) => event.seq > this.lastSeq);
    if (!isUnbroken(fresh, this.lastSeq)) return false;
    for (const event of fresh) {
      this.lastSeq = event.seq;
      this.take(event);
    }
    this.changed();
    return true;
  }

  markCaughtUp(): void {
    if (this.caughtUp) return;
    this.caughtUp = true;
    this.changed();
  }

  /** There may be more than it has: it was lost for a while, or too slow. */
  markBehind(): void {
    if (!this.caughtUp || this.ended) return;
    this.caughtUp = false;
    this.changed();
  }

  markEnded(): void {
    this.ended = true;
    this.caughtUp = true;
    this.changed();
  }

  clear(): void {
    this.lines = [];
    this.dividers = 0;
    this.facts = [];
    this.steps = [];
    this.totalSteps = null;
    this.startedAt = null;
    this.caughtUp = false;
    this.ended = false;
    this.lastSeq = 0;
    this.changed();
  }

  private take(event: ClusterEvent): void {
    if (event.type === "log_line") {
      const { text, stream } = event.data;
      this.lines.push({ seq: event.seq, at: event.at, text, stream, startedAt: this.startedAt });
      return;
    }
    this.facts = [...this.facts, event];
    if (event.type === "created") {
      this.startedAt = event.at;
    } else if (event.type === "attempt_started") {
      this.startedAt = event.at;
      this.steps = [];
      if (event.data.attempt > 1) this.divide(event.seq, event.at, event.data.attempt);
    } else if (event.type === "phase_changed") {
      this.phaseChanged(event.data.to, event.at);
    } else if (event.type === "step_started") {
      this.totalSteps = event.data.total;
      this.steps = [...this.steps, { step: event.data.step, startedAt: event.at, durationSeconds: null, outcome: "running" }];
    } else if (event.type === "step_finished") {
      const { step, outcome, duration_seconds: durationSeconds } = event.data;
      this.steps = this.steps.map((record) =>
        record.step === step && record.outcome === "running" ? { ...record, outcome, durationSeconds } : record,
      );
    }
  }

  private phaseChanged(to: Phase, at: string): void {
    if (to === "pending") {
      // It is tried again: what the last attempt did is in the log, not among the steps to come.
      this.steps = [];
      this.totalSteps = null;
    } else if (to === "failed" || to === "deleting") {
      this.steps = this.steps.map((record) =>
        record.outcome === "running" ? { ...record, outcome: "stopped", durationSeconds: secondsBetween(record.startedAt, at) } : record,
      );
    }
  }

  private divide(seq: number, at: string, attempt: number): void {
    this.dividers += 1;
    this.lines.push({ seq, at, text: `attempt ${attempt}`, stream: "attempt", startedAt: at });
  }

  private changed(): void {
    if (this.flushing) return;
    this.flushing = true;
    this.schedule(() => {
      this.flushing = false;
      this.view = {
        lines: this.lines,
        rowCount: this.lines.length,
        lineCount: this.lines.length - this.dividers,
        facts: this.facts,
        steps: this.steps,
        totalSteps: this.totalSteps,
        startedAt: this.startedAt,
        caughtUp: this.caughtUp,
        ended: this.ended,
      };
      for (const listener of this.listeners) listener();
    });
  }
}

/** Whether the numbers go up by one. One event stands for all the lines that the server has given up. */
function isUnbroken(events: readonly ClusterEvent[], after: number): boolean {
  let last = after;
  for (const event of events) {
    const follows = event.seq === last + 1 || (event.type === "log_expired" && event.data.from <= last + 1);
    if (!follows) return false;
    last = event.seq;
  }
  return true;
}
