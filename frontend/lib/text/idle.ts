import type { Idle } from "@/lib/api/client";
import { timeOfDay, when } from "./time";

/** Since when nobody has used a cluster, and what comes of it. */
export function idleWords({ used_at, pauses_at, stays_awake_because: why }: Idle): string {
  const since = `since ${when(used_at)}`;
  if (pauses_at) return `${since}; paused at ${timeOfDay(pauses_at)} if nobody uses it until then`;
  return why ? `${since}; not paused by itself, because ${why}` : since;
}
