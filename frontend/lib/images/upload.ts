import type { ApiProblem } from "@/lib/api/problem";

export type UploadState =
  | { status: "waiting" }
  | { status: "sending"; sentBytes: number }
  /** Every byte is there; the nodes make images of them. */
  | { status: "unpacking" }
  | { status: "loaded"; names: readonly string[] }
  | { status: "failed"; problem: ApiProblem };

/** A file of images on its way into a cluster. */
export interface Upload {
  id: number;
  clusterId: string;
  fileName: string;
  sizeBytes: number;
  state: UploadState;
}

export type UploadChange =
  | { type: "added"; uploads: readonly Omit<Upload, "state">[] }
  | { type: "moved"; id: number; state: UploadState }
  | { type: "removed"; id: number };

export function isUnderWay({ state }: Upload): boolean {
  return state.status === "waiting" || state.status === "sending" || state.status === "unpacking";
}

/** What an upload may become. A late word of one that was given up, or has ended, changes nothing. */
const NEXT: Record<UploadState["status"], readonly UploadState["status"][]> = {
  waiting: ["sending"],
  sending: ["sending", "unpacking", "loaded", "failed"],
  unpacking: ["loaded", "failed"],
  loaded: [],
  failed: ["waiting"],
};

/** The uploads after a change. */
export function changeUploads(uploads: readonly Upload[], change: UploadChange): readonly Upload[] {
  switch (change.type) {
    case "added":
      return [...uploads, ...change.uploads.map((upload): Upload => ({ ...upload, state: { status: "waiting" } }))];
    case "removed":
      return uploads.filter(({ id }) => id !== change.id);
    case "moved":
      return uploads.map((upload) =>
        upload.id === change.id && NEXT[upload.state.status].includes(change.state.status) ? { ...upload, state: change.state } : upload,
      );
  }
}

/** Whole percents of what is sent; 100 only when it is all there. */
export function percentOf({ sizeBytes, state }: Upload): number {
  if (state.status !== "sending") return state.status === "waiting" ? 0 : 100;
  return sizeBytes === 0 ? 0 : Math.min(99, Math.floor((100 * state.sentBytes) / sizeBytes));
}
