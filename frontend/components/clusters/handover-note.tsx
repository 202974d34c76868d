import type { Cluster } from "@/lib/api/client";
import type { Expected } from "@/lib/text/forecast";
import { handoverTime } from "@/lib/text/pool";
import { fine, secondsBetween } from "@/lib/text/time";

/** In place of steps and log, which a cluster from the pool does not have. */
export function HandoverNote({ cluster, expected }: { cluster: Cluster; expected: Expected | null }) {
  return (
    <section aria-label="From the pool" className="rounded-lg border border-line bg-surface px-5 py-3.5">
      <p className="font-medium">{handoverWords(cluster)}</p>
      <p className="mt-0.5 text-sm text-muted">
        It was in the pool, so there are no steps and no log of a build.{expected ? ` Building one takes ${fine(expected.p50)} as a rule.` : ""}
      </p>
    </section>
  );
}

export function handoverWords({ created_at: createdAt, ready_at: readyAt }: Pick<Cluster, "created_at" | "ready_at">): string {
  if (!readyAt) return "Built ahead of time; it is being handed over.";
  return `Built ahead of time; handed over in ${handoverTime(secondsBetween(createdAt, readyAt))}.`;
}
