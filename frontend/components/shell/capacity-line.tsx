"use client";

import { useQuery } from "@tanstack/react-query";
import type { Capacity } from "@/lib/api/client";
import { queries } from "@/lib/api/queries";
import { classes } from "@/lib/text/classes";

/** What the server can still take, in a few words. */
export function capacityWords(capacity: Capacity): string {
  const prebuilt = Object.values(capacity.pool).reduce((sum, level) => sum + level.prebuilt, 0);
  const room = capacity.room_for > 0 ? `Room for ${capacity.room_for} more` : (capacity.shortage ?? "No room just now");
  return prebuilt > 0 ? `${room}, ${prebuilt} ready in the pool` : room;
}

export function CapacityLine() {
  const capacity = useQuery(queries.capacity()).data;
  if (!capacity) return null;
  const words = capacityWords(capacity);
  return (
    <p className="flex items-center gap-2 text-muted" title={words}>
      <span aria-hidden="true" className={classes("size-1.5 rounded-full", capacity.room_for > 0 ? "bg-good" : "bg-warn")} />
      <span className="max-w-[40vw] truncate max-md:sr-only">{words}</span>
    </p>
  );
}
