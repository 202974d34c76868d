import type { Cluster } from "@/lib/api/client";
import { classes } from "@/lib/text/classes";
import { urgencyOf, type Urgency } from "@/lib/text/lease";
import { coarse, left, leaseSeconds, secondsBetween, secondsLeft, when } from "@/lib/text/time";

const RADIUS = 7;
const AROUND = 2 * Math.PI * RADIUS;

export const LEASE_TEXT: Record<Urgency, string> = { calm: "text-muted", soon: "font-medium text-warn", now: "font-medium text-bad" };
const STROKES: Record<Urgency, string> = { calm: "stroke-text", soon: "stroke-warn", now: "stroke-bad" };

/** How long the cluster still lives: a ring and words. */
export function Lease({ cluster, now }: { cluster: Cluster; now: number }) {
  if (cluster.phase === "deleted" && cluster.deleted_at) {
    return <p className="text-sm text-faint">deleted {coarse(secondsBetween(cluster.deleted_at, now))} ago</p>;
  }
  if (cluster.phase === "deleting" || cluster.phase === "failed") return null;
  if (!cluster.expires_at) return <p className="text-sm text-faint">{coarse(cluster.ttl_seconds)} once ready</p>;

  const lease = { ...cluster, expires_at: cluster.expires_at };
  const seconds = secondsLeft(lease, now);
  const share = Math.max(0, seconds / Math.max(1, leaseSeconds(lease)));
  const urgency = urgencyOf(seconds);
  return (
    <p data-urgency={urgency} title={`Deleted at ${when(cluster.expires_at)}`} className={classes("flex items-center gap-2 text-sm", LEASE_TEXT[urgency])}>
      <svg viewBox="0 0 18 18" fill="none" strokeWidth="2.500" aria-hidden="true" className="size-4.5 -rotate-90">
        <circle cx="9" cy="9" r={RADIUS} className="stroke-line-strong" />
        <circle
          cx="9"
          cy="9"
          r={RADIUS}
          strokeDasharray={AROUND}
          strokeDashoffset={AROUND * (1 - share)}
          strokeLinecap="round"
          className={STROKES[urgency]}
        />
      </svg>
      {left(seconds) === "now" ? "Time is over" : `${left(seconds)} left`}
    </p>
  );
}
