import type { LoadedImages } from "./client";
import { ApiProblem, problemFrom, unreachable } from "./problem";

/** What is told while an archive is on its way. */
export interface SendTold {
  sent: (bytes: number) => void;
  /** The last byte is there; the answer comes when the nodes have unpacked it. */
  all: () => void;
}

const FIRST_REFUSAL = 400;

/** Sends an archive of images into a cluster. XMLHttpRequest, as fetch does not tell how much of a body is sent. */
export function sendArchive(clusterId: string, file: File, told: SendTold, stopped: AbortSignal): Promise<LoadedImages> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/v1/clusters/${clusterId}/images`);
    request.setRequestHeader("Accept", "application/json");
    // The bytes say whether it is compressed: the server looks at them.
    request.setRequestHeader("Content-Type", "application/x-tar");
    request.upload.onprogress = (event) => told.sent(event.loaded);
    request.upload.onload = told.all;
    request.onload = () => {
      const body = parsed(request.responseText);
      if (request.status >= FIRST_REFUSAL) reject(problemFrom(body, request));
      else resolve(body as LoadedImages);
    };
    request.onerror = () => void whatBroke(file).then(reject);
    request.onabort = () => reject(unreachable());
    stopped.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The browser does not say whether the line or the file broke; a folder that was dropped is such a file. */
async function whatBroke(file: File): Promise<ApiProblem> {
  try {
    await file.slice(0, 1).arrayBuffer();
    return unreachable();
  } catch {
    return new ApiProblem({
      title: "The file cannot be read",
      status: 0,
      detail: `The browser cannot read ${file.name}. It is a folder, or it was changed or moved meanwhile.`,
      code: "unreadable_file",
      fix: "Choose the file again.",
    });
  }
}
