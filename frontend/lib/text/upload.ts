import { isUnderWay, percentOf, type Upload } from "@/lib/images/upload";
import { binarySize } from "./size";

const NAMELESS = "images without a name";

/** How far an upload is, beside its bar. */
export function progressWords(upload: Upload): string {
  const { state, sizeBytes } = upload;
  if (state.status === "sending") return `${percentOf(upload)} %, ${binarySize(state.sentBytes)} of ${binarySize(sizeBytes)}`;
  if (state.status === "waiting") return `${binarySize(sizeBytes)}, waits for the one before it`;
  return state.status === "unpacking" ? "Unpacking in the nodes" : binarySize(sizeBytes);
}

/** The images that came, as a list in a sentence. */
export function namesWords(names: readonly string[]): string {
  return names.join(", ") || NAMELESS;
}

/** What a screen reader is told: quarters, as every percent would drown all else. A failure speaks for itself. */
export function announcement(uploads: readonly Upload[]): string {
  const upload = uploads.find((each) => isUnderWay(each) && each.state.status !== "waiting") ?? uploads.at(-1);
  if (!upload) return "";
  switch (upload.state.status) {
    case "sending":
      return `Sending ${upload.fileName}: ${25 * Math.floor(percentOf(upload) / 25)} percent`;
    case "unpacking":
      return `Unpacking ${upload.fileName} in the nodes`;
    case "loaded":
      return `Loaded from ${upload.fileName}: ${namesWords(upload.state.names)}`;
    case "waiting":
    case "failed":
      return "";
  }
}

/** Kubernetes asks the registry for `latest` each time it starts a container, whatever the node has. */
export function hasLatest(names: readonly string[]): boolean {
  return names.some((name) => name.endsWith(":latest"));
}
