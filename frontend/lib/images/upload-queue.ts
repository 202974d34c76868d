import type { LoadedImages } from "@/lib/api/client";
import { asProblem } from "@/lib/api/problem";
import type { SendTold } from "@/lib/api/send-archive";
import { changeUploads, isUnderWay, type Upload, type UploadChange, type UploadState } from "./upload";

export type Send = (clusterId: string, file: File, told: SendTold, stopped: AbortSignal) => Promise<LoadedImages>;

/** Sends files one after another, for two at once would only share the same line. It lives outside of the views, so that one may look elsewhere meanwhile. */
export class UploadQueue {
  private uploads: readonly Upload[] = [];
  private readonly files = new Map<number, File>();
  private underWay: { id: number; stop: AbortController } | null = null;
  private lastId = 0;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly send: Send) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly read = (): readonly Upload[] => this.uploads;

  isBusy(): boolean {
    return this.uploads.some(isUnderWay);
  }

  add(clusterId: string, files: readonly File[]): void {
    const added = files.map((file) => {
      this.lastId += 1;
      this.files.set(this.lastId, file);
      return { id: this.lastId, clusterId, fileName: file.name, sizeBytes: file.size };
    });
    this.change({ type: "added", uploads: added });
    this.sendNext();
  }

  again(id: number): void {
    this.move(id, { status: "waiting" });
    this.sendNext();
  }

  /** Gives up one that is on its way, or forgets one that has ended. */
  remove(id: number): void {
    this.files.delete(id);
    this.change({ type: "removed", id });
    if (this.underWay?.id !== id) return;
    this.underWay.stop.abort();
    this.underWay = null;
    this.sendNext();
  }

  dispose(): void {
    this.underWay?.stop.abort();
    this.underWay = null;
    this.files.clear();
    this.uploads = [];
    this.tell();
  }

  private sendNext(): void {
    const next = this.uploads.find(({ state }) => state.status === "waiting");
    if (this.underWay || !next) return;
    void this.sendOne(next);
  }

  private async sendOne({ id, clusterId }: Upload): Promise<void> {
    const file = this.files.get(id);
    if (!file) return;
    const mine = { id, stop: new AbortController() };
    this.underWay = mine;
    const told: SendTold = {
      sent: (sentBytes) => this.move(id, { status: "sending", sentBytes }),
      all: () => this.move(id, { status: "unpacking" }),
    };
    told.sent(0);
    try {
      const { names } = await this.send(clusterId, file, told, mine.stop.signal);
      this.files.delete(id);
      this.move(id, { status: "loaded", names });
    } catch (error) {
      this.move(id, { status: "failed", problem: asProblem(error) });
    }
    if (this.underWay !== mine) return;
    this.underWay = null;
    this.sendNext();
  }

  private move(id: number, state: UploadState): void {
    this.change({ type: "moved", id, state });
  }

  private change(change: UploadChange): void {
    this.uploads = changeUploads(this.uploads, change);
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
