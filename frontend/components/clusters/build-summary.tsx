import type { Cluster } from "@/lib/api/client";
import type { StepRecord } from "@/lib/stream/cluster-history";
import { isCancelled } from "@/lib/text/failure";
import { etaOf, leftWords, type Expected } from "@/lib/text/forecast";
import { coarse, fine, secondsBetween, when } from "@/lib/text/time";
import { upperFirst } from "@/lib/text/words";

interface BuildSummaryProps {
  cluster: Cluster;
  /** When the last attempt began; null while that is not known. */
  startedAt: string | null;
  /** The step that it is in, or was in last. */
  latest: StepRecord | undefined;
  now: number;
  expected: Expected | null;
  isEmpty: boolean;
}

/** One sentence under the steps: how long it still takes, or how it ended. */
export function BuildSummary({ cluster, startedAt, latest, now, expected, isEmpty }: BuildSummaryProps) {
  const words = summaryOf(cluster, now, expected, startedAt ?? cluster.created_at, latest);
  if (!words) return null;
  return (
    <div className={isEmpty ? "px-2.5 pt-2" : "mt-3 border-t border-line px-2.5 pt-3"}>
      <p className="font-medium">{words.title}</p>
      {words.note ? <p className="text-sm text-muted">{words.note}</p> : null}
    </div>
  );
}

interface Summary {
  title: string;
  note?: string;
}

/** `since`: when the attempt began that built it, or builds it. `latest`: the last step that has begun. */
export function summaryOf(cluster: Cluster, now: number, expected: Expected | null, since: string, latest?: StepRecord): Summary | null {
  switch (cluster.phase) {
    case "pending":
      return cluster.queue
        ? { title: `Number ${cluster.queue.position} of ${cluster.queue.size} in the queue`, note: upperFirst(cluster.queue.reason) }
        : { title: "Waiting for a worker", note: "The build starts in a moment." };
    case "provisioning":
      return goingOn(now, expected, since, latest);
    case "ready":
    case "paused": {
      if (!cluster.ready_at) return null;
      const title = `Ready in ${fine(secondsBetween(since, cluster.ready_at))}`;
      return expected && expected.samples > 1 ? { title, note: `usually ${fine(expected.p50)}` } : { title };
    }
    case "failed":
      return { title: isCancelled(cluster.failure) ? "Cancelled here" : "The build stopped here", note: "What it had made is removed. The log stays." };
    case "deleting":
      return { title: "Being deleted", note: "Containers, network and files go now." };
    case "deleted":
      return { title: "Deleted", ...(cluster.deleted_at && { note: when(cluster.deleted_at) }) };
  }
}

function goingOn(now: number, expected: Expected | null, since: string, latest?: StepRecord): Summary {
  const spent = secondsBetween(since, now);
  const title = `Building for ${coarse(spent)}`;
  if (!expected) return { title, note: "Nobody knows yet how long it takes: none like it was built here." };
  const eta = etaOf(expected, { spent, step: latest?.step ?? null, inStep: latest ? secondsBetween(latest.startedAt, now) : 0 });
  if (!eta) return { title, note: `longer than usual, which is ${fine(expected.p50)}` };
  return { title: upperFirst(leftWords(eta)), note: `from the last ${expected.samples === 1 ? "build" : `${expected.samples} builds`} of this template` };
}
