import type { UploadQueue } from "./upload-queue";

/** Keeps the queue of this tab, which is made when a view first asks for it: its code is no part of the first view. */
export class TabUploads {
  private queue: UploadQueue | null = null;

  open(make: () => UploadQueue): UploadQueue {
    this.queue ??= make();
    return this.queue;
  }

  isBusy(): boolean {
    return this.queue?.isBusy() ?? false;
  }

  dispose(): void {
    this.queue?.dispose();
  }
}
