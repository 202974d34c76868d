import type { Cluster, ClusterEvent } from "@/lib/api/client";

type Changes = Partial<Cluster>;
type DataOf<T extends ClusterEvent["type"]> = Extract<ClusterEvent, { type: T }>["data"];

/** The snapshot after an event. The same function as pyk8s/wire/reduce.py; golden files hold both to it. */
export function applyEvent(cluster: Cluster | null, event: ClusterEvent): Cluster | null {
  if (cluster !== null && event.seq <= cluster.last_seq) return cluster;
  if (event.type === "created") return { ...event.data.cluster, last_seq: event.seq };
  if (cluster === null) return null;
  return { ...cluster, ...changesOf(cluster, event), last_seq: event.seq };
}

function changesOf(cluster: Cluster, event: Exclude<ClusterEvent, { type: "created" }>): Changes {
  switch (event.type) {
    case "phase_changed":
      return phaseChanged(event.data, event.at);
    case "condition_changed":
      return { conditions: withCondition(cluster.conditions, event.data.condition) };
    case "queued":
      return { queue: event.data };
    case "step_started": {
      const { step, index, total } = event.data;
      return { progress: { step, index, total, percent: percent(index - 1, total), eta_seconds: null, eta_p95_seconds: null } };
    }
    case "step_finished":
      return event.data.outcome === "succeeded" ? stepFinished(cluster, event.data.step) : {};
    case "lease_extended":
      return { expires_at: event.data.expires_at };
    case "claimed_from_pool":
      return { from_pool: true };
    case "failure_explained":
      return { failure: event.data };
    case "attempt_started":
      return { failure: null, progress: null, queue: null };
    case "log_line":
    case "log_truncated":
    case "log_expired":
    case "lease_expiring":
    case "credential_issued":
    case "credential_revoked":
    case "images_loaded":
    case "note":
      return {};
    default:
      return unknownEvent(event);
  }
}

/** A newer server may say what this page does not know: it is ignored, but a type that it does know must be handled above. */
function unknownEvent(_event: never): Changes {
  return {};
}

function phaseChanged(data: DataOf<"phase_changed">, at: string): Changes {
  const changes: Changes = { phase: data.to };
  if (data.to !== "pending") changes.queue = null;
  if (data.to === "ready") {
    changes.progress = null;
    if (data.from === "provisioning") changes.ready_at = at;
  }
  if (data.to === "deleting") changes.progress = null;
  if (data.to === "deleted") {
    changes.progress = null;
    changes.deleted_at = at;
  }
  return changes;
}

function withCondition(conditions: Cluster["conditions"], next: Cluster["conditions"][number]): Cluster["conditions"] {
  const known = conditions.some((old) => old.type === next.type);
  return known ? conditions.map((old) => (old.type === next.type ? next : old)) : [...conditions, next];
}

function stepFinished(cluster: Cluster, step: string): Changes {
  const { progress } = cluster;
  if (progress?.step !== step) return {};
  return { progress: { ...progress, percent: percent(progress.index, progress.total) } };
}

/** Whole percents, halves to the even neighbour: as Python rounds. */
function percent(done: number, total: number): number {
  const exact = (100 * done) / total;
  const floor = Math.floor(exact);
  if (exact - floor !== 0.5) return Math.round(exact);
  return floor % 2 === 0 ? floor : floor + 1;
}
