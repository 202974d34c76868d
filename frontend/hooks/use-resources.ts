import { useEffect, useState } from "react";
import { keepReading, type Reading } from "@/lib/resources/reading";
import { NOTHING_KNOWN, reduce, type ResourcesView } from "@/lib/resources/reduce";
import { SseReader } from "@/lib/resources/sse";

/** Three beats of the server. */
const SILENCE_MS = 30_000;

/** Looks into a cluster while the caller is mounted. */
export function useResources(id: string): { view: ResourcesView; reading: Reading } {
  const [view, setView] = useState(NOTHING_KNOWN);
  const [reading, setReading] = useState<Reading>({ status: "connecting" });
  useEffect(() => {
    let sse = new SseReader();
    let ended = false;
    return keepReading({
      url: `/api/v1/clusters/${id}/resources`,
      accept: "text/event-stream",
      silenceMs: SILENCE_MS,
      onBegin: () => (sse = new SseReader()),
      onPiece: (piece) => {
        const messages = sse.push(piece);
        ended ||= messages.some((message) => message.event === "end");
        if (messages.length > 0) setView((before) => messages.reduce(reduce, before));
      },
      onReading: setReading,
      again: () => !ended,
    });
  }, [id]);
  return { view, reading };
}
