import type { Cluster, ClusterEvent } from "@/lib/api/client";

export const EPOCH = "0190a000-0000-7000-8000-00000000000e";

export function makeCluster(changes: Partial<Cluster> = {}): Cluster {
  return {
    id: "0190a000-0000-7000-8000-000000000001",
    name: "demo",
    owner: "anna",
    template: "default",
    kubernetes_version: "v1.37.0",
    control_planes: 1,
    workers: 0,
    labels: {},
    driver: "simulated",
    phase: "pending",
    conditions: [],
    progress: null,
    queue: null,
    failure: null,
    from_pool: false,
    ttl_seconds: 3600,
    created_at: "2026-11-23T20:00:00.000000Z",
    ready_at: null,
    expires_at: null,
    deleted_at: null,
    last_seq: 0,
    epoch: EPOCH,
    ...changes,
  };
}

type Of<T extends ClusterEvent["type"]> = Extract<ClusterEvent, { type: T }>;

/** An event, `seq` seconds after the beginning. */
export function makeEvent<T extends ClusterEvent["type"]>(seq: number, type: T, data: Of<T>["data"]): ClusterEvent {
  const at = new Date(Date.UTC(2026, 10, 23, 20, 0, seq)).toISOString();
  return { seq, type, version: 1, at, cluster_id: null, data } as Of<T>;
}

export function makeLine(seq: number, text: string): ClusterEvent {
  return makeEvent(seq, "log_line", { stream: "stderr", text, cont: false });
}
