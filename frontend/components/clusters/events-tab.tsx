"use client";

import { CommandLine } from "@/components/ui/command-line";
import type { Cluster } from "@/lib/api/client";
import type { HistoryView } from "@/lib/stream/cluster-history";
import { describeFact } from "@/lib/text/describe-fact";
import { timeOfDay, when } from "@/lib/text/time";
import { plural } from "@/lib/text/words";

/** Everything that was recorded about the cluster, but the lines of its log. Newest first. */
export function EventsTab({ cluster, history }: { cluster: Cluster; history: HistoryView }) {
  const facts = history.facts.toReversed();
  return (
    <div className="grid gap-4">
      <CommandLine command={`pyk8s events -f ${cluster.name}`} />
      <p className="text-sm text-muted">
        {plural(facts.length, "event")}
        {history.lineCount > 0 ? ` and ${plural(history.lineCount, "line")} of log` : ""}, numbered together.
      </p>
      {facts.length === 0 ? (
        <p className="rounded-lg border border-line bg-surface px-4 py-10 text-center text-muted">Nothing has happened yet.</p>
      ) : (
        <ol className="overflow-hidden rounded-lg border border-line bg-surface">
          {facts.map((fact) => (
            <li key={fact.seq} className="grid grid-cols-[44px_minmax(0,1fr)] items-baseline gap-x-3 border-b border-line px-4 py-2 last:border-b-0 sm:grid-cols-[44px_76px_190px_minmax(0,1fr)]">
              <span className="font-mono text-sm text-faint">{fact.seq}</span>
              <time dateTime={fact.at} title={when(fact.at)} className="text-sm text-faint max-sm:hidden">
                {timeOfDay(fact.at)}
              </time>
              <code className="font-mono text-sm text-muted max-sm:hidden">{fact.type}</code>
              <span>{describeFact(fact)}</span>
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}
