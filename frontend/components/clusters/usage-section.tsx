"use client";

import { useQuery } from "@tanstack/react-query";
import { Button } from "@/components/ui/button";
import type { Cluster, Usage } from "@/lib/api/client";
import { asProblem } from "@/lib/api/problem";
import { queries } from "@/lib/api/queries";
import { binarySize } from "@/lib/text/size";
import { timeOfDay } from "@/lib/text/time";
import { processorWords } from "@/lib/text/usage";
import { Section } from "./section";

/** What a cluster that is up takes of its host. */
export function UsageSection({ cluster }: { cluster: Cluster }) {
  const isPaused = cluster.phase === "paused";
  // What it took before it was paused is not what it takes now.
  const usage = useQuery(queries.usage(cluster.id, cluster.phase));
  return (
    <Section title="What it takes" note="Of its host, all its nodes together. Measured every 15 seconds while this is open.">
      {usage.isError && !usage.data ? null : <Rows usage={usage.data} isPaused={isPaused} />}
      {usage.isError ? (
        <p className="flex flex-wrap items-center gap-x-3 gap-y-2 text-sm text-muted">
          Not measured. {asProblem(usage.error).words}
          <Button size="sm" aria-disabled={usage.isFetching} onClick={() => void (usage.isFetching || usage.refetch())}>
            Try again
          </Button>
        </p>
      ) : null}
    </Section>
  );
}

function Rows({ usage, isPaused }: { usage: Usage | undefined; isPaused: boolean }) {
  const rows: [string, string | undefined][] = [
    ["Memory", usage && binarySize(usage.memory_bytes)],
    ["Processor", usage && processorWords(usage, isPaused)],
    ["Disk", usage && (usage.disk_bytes === null ? "cannot be told now" : binarySize(usage.disk_bytes))],
    ["Measured", usage && timeOfDay(usage.measured_at)],
  ];
  return (
    <dl aria-busy={usage === undefined} className="w-full overflow-hidden rounded-lg border border-line bg-surface">
      {rows.map(([name, value]) => (
        <div key={name} className="grid grid-cols-[110px_minmax(0,1fr)] gap-3 border-b border-line px-4 py-2 last:border-b-0">
          <dt className="text-muted">{name}</dt>
          <dd>
            {value ?? (
              <span className="flex h-5 items-center">
                <span className="sr-only">being measured</span>
                <span className="skeleton h-3 w-20" />
              </span>
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}
