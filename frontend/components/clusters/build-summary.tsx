import type { Cluster, Template } from "@/lib/api/client";
import { isCancelled } from "@/lib/text/failure";
import { coarse, fine, secondsBetween, when } from "@/lib/text/time";
import { upperFirst } from "@/lib/text/words";

interface BuildSummaryProps {
  cluster: Cluster;
  /** When the last attempt began; null while that is not known. */
  startedAt: string | null;
  now: number;
  expected: Template["expected_seconds"];
  isEmpty: boolean;
}

/** One sentence under the steps: how long it still takes, or how it ended. */
export function BuildSummary({ cluster, startedAt, now, expected, isEmpty }: BuildSummaryProps) {
  const words = summaryOf(cluster, now, expected, startedAt ?? cluster.created_at);
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

/** `since`: when the attempt began that built it, or builds it. */
export function summaryOf(cluster: Cluster, now: number, expected: Template["expected_seconds"], since: string): Summary | null {
  switch (cluster.phase) {
    case "pending":
      return cluster.queue
        ? { title: `Number ${cluster.queue.position} of ${cluster.queue.size} in the queue`, note: upperFirst(cluster.queue.reason) }
        : { title: "Waiting for a worker", note: "The build starts in a moment." };
    case "provisioning":
      return etaOf(secondsBetween(since, now), expected);
    case "ready":
    case "paused": {
      if (!cluster.ready_at) return null;
      const took = fine(secondsBetween(cluster.from_pool ? cluster.created_at : since, cluster.ready_at));
      const title = cluster.from_pool ? `Ready in ${took}, from the pool` : `Ready in ${took}`;
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

function etaOf(spent: number, expected: Template["expected_seconds"]): Summary {
  if (!expected) return { title: `Building for ${coarse(spent)}`, note: "The first build of this template: nobody knows yet how long it takes." };
  const from = Math.ceil(expected.p50 - spent);
  const to = Math.ceil(expected.p95 - spent);
  const note = `from the last ${expected.samples === 1 ? "build" : `${expected.samples} builds`} of this template`;
  if (to <= 0) return { title: `Building for ${coarse(spent)}`, note: `longer than usual, which is ${coarse(expected.p50)}` };
  if (from <= 0) return { title: `Ready in at most ${coarse(to)}`, note };
  return { title: from === to ? `Ready in ${coarse(from)}` : `Ready in ${coarse(from)} to ${coarse(to)}`, note };
}
