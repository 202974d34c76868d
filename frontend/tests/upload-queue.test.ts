import { describe, expect, it } from "vitest";
import type { LoadedImages } from "@/lib/api/client";
import { ApiProblem } from "@/lib/api/problem";
import type { SendTold } from "@/lib/api/send-archive";
import { changeUploads, isUnderWay, percentOf, type Upload, type UploadState } from "@/lib/images/upload";
import { UploadQueue } from "@/lib/images/upload-queue";
import { announcement, hasLatest, progressWords } from "@/lib/text/upload";

const MIB = 1024 * 1024;
const REFUSED = new ApiProblem({ title: "the images cannot be loaded", status: 422, detail: "what was sent is no archive of images", code: "image_refused", fix: null });

function makeUpload(state: UploadState, id = 1): Upload {
  return { id, clusterId: "one", fileName: "mine.tar", sizeBytes: 120 * MIB, state };
}

const sending = (share: number) => makeUpload({ status: "sending", sentBytes: share * 120 * MIB });

describe("an upload", () => {
  it.each<[UploadState["status"], UploadState, UploadState["status"]]>([
    ["waiting", { status: "sending", sentBytes: 0 }, "sending"],
    ["sending", { status: "unpacking" }, "unpacking"],
    ["sending", { status: "failed", problem: REFUSED }, "failed"],
    ["unpacking", { status: "loaded", names: [] }, "loaded"],
    // The browser tells of the progress late.
    ["unpacking", { status: "sending", sentBytes: 1 }, "unpacking"],
    ["loaded", { status: "failed", problem: REFUSED }, "loaded"],
    ["failed", { status: "unpacking" }, "failed"],
    ["failed", { status: "waiting" }, "waiting"],
  ])("that is %s and hears %j is %s", (before, state, after) => {
    const states: Record<UploadState["status"], UploadState> = {
      waiting: { status: "waiting" },
      sending: { status: "sending", sentBytes: 5 },
      unpacking: { status: "unpacking" },
      loaded: { status: "loaded", names: ["mine:1"] },
      failed: { status: "failed", problem: REFUSED },
    };
    const [changed] = changeUploads([makeUpload(states[before])], { type: "moved", id: 1, state });
    expect(changed?.state.status).toBe(after);
  });

  it("that was removed is not brought back by a late word", () => {
    const none = changeUploads([sending(0.5)], { type: "removed", id: 1 });
    expect(changeUploads(none, { type: "moved", id: 1, state: { status: "unpacking" } })).toEqual([]);
  });

  it("has a hundred percent only when all is sent", () => {
    expect(percentOf(sending(0.507))).toBe(50);
    expect(percentOf(sending(0.9999))).toBe(99);
    expect(percentOf(makeUpload({ status: "unpacking" }))).toBe(100);
    expect(percentOf({ ...sending(0), sizeBytes: 0 })).toBe(0);
  });

  it("says how far it is", () => {
    expect(progressWords(sending(0.4))).toBe("40 %, 48 MiB of 120 MiB");
    expect(progressWords(makeUpload({ status: "unpacking" }))).toBe("Unpacking in the nodes");
  });

  it("is announced in quarters", () => {
    expect(announcement([sending(0.26)])).toBe(announcement([sending(0.49)]));
    expect(announcement([sending(0.5)])).toBe("Sending mine.tar: 50 percent");
    expect(announcement([makeUpload({ status: "loaded", names: ["mine:1", "mine:2"] })])).toBe("Loaded from mine.tar: mine:1, mine:2");
    // That one is loaded is not said over one that is on its way.
    expect(announcement([makeUpload({ status: "loaded", names: [] }), { ...sending(0), id: 2 }])).toContain("Sending");
    expect(announcement([makeUpload({ status: "failed", problem: REFUSED })])).toBe("");
  });
});

it("warns of the tag that is never taken from the node", () => {
  expect(hasLatest(["docker.io/library/mine:1"])).toBe(false);
  expect(hasLatest(["docker.io/library/mine:1", "docker.io/library/mine:latest"])).toBe(true);
});

/** What is on its way, to be ended by the test. */
class FakeLine {
  readonly sent: { name: string; told: SendTold; stopped: AbortSignal; answer: (images: LoadedImages) => void; refuse: (error: unknown) => void }[] = [];
  readonly send = (_: string, file: File, told: SendTold, stopped: AbortSignal) =>
    new Promise<LoadedImages>((answer, refuse) => {
      this.sent.push({ name: file.name, told, stopped, answer, refuse });
    });
}

const settled = () => new Promise((resolve) => setTimeout(resolve));
const files = (...names: string[]) => names.map((name) => new File(["x"], name));
const states = (queue: UploadQueue) => queue.read().map(({ state }) => state.status);

describe("several files", () => {
  it("go one after another, whatever becomes of one", async () => {
    const line = new FakeLine();
    const queue = new UploadQueue(line.send);
    queue.add("one", files("a.tar", "b.tar", "c.tar"));
    expect(states(queue)).toEqual(["sending", "waiting", "waiting"]);
    line.sent[0]?.refuse(REFUSED);
    await settled();
    expect(states(queue)).toEqual(["failed", "sending", "waiting"]);
    line.sent[1]?.told.all();
    expect(states(queue)).toEqual(["failed", "unpacking", "waiting"]);
    line.sent[1]?.answer({ names: ["b:1"], size_bytes: 1 });
    await settled();
    expect(states(queue)).toEqual(["failed", "loaded", "sending"]);
    expect(line.sent.map(({ name }) => name)).toEqual(["a.tar", "b.tar", "c.tar"]);
  });

  it("go on with the next when one is cancelled", async () => {
    const line = new FakeLine();
    const queue = new UploadQueue(line.send);
    queue.add("one", files("a.tar", "b.tar"));
    const [first] = queue.read();
    queue.remove(first?.id ?? 0);
    expect(line.sent[0]?.stopped.aborted).toBe(true);
    line.sent[0]?.refuse(REFUSED);
    await settled();
    expect(states(queue)).toEqual(["sending"]);
    expect(line.sent).toHaveLength(2);
    expect(queue.isBusy()).toBe(true);
  });

  it("are tried again on request only", async () => {
    const line = new FakeLine();
    const queue = new UploadQueue(line.send);
    queue.add("one", files("a.tar"));
    line.sent[0]?.refuse(REFUSED);
    await settled();
    expect(queue.read().some(isUnderWay)).toBe(false);
    queue.again(queue.read()[0]?.id ?? 0);
    expect(states(queue)).toEqual(["sending"]);
    queue.dispose();
    expect(line.sent[1]?.stopped.aborted).toBe(true);
    expect(queue.read()).toEqual([]);
  });
});
