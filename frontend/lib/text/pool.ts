import type { PoolState } from "@/lib/api/client";
import { fine } from "./time";

/** How the pool of a template is, in words. */
export function poolWords({ size, ready, paused, building }: PoolState): string {
  if (size === 0 && ready === 0 && building === 0) return "None is kept.";
  const parts = [ready > size ? `${ready} ready, ${ready - size} too many` : `${ready} of ${size} ready`];
  if (paused > 0) parts.push(`${paused} paused`);
  if (building > 0) parts.push(`${building} being built`);
  return `${parts.join(", ")}.`;
}

/** What a handover took: often less than a tenth of a second, and never nothing. */
export function handoverTime(seconds: number): string {
  return seconds < 0.1 ? `${Math.max(1, Math.round(1000 * seconds))} ms` : fine(seconds);
}
