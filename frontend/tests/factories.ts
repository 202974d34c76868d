import type { Cluster, ClusterEvent, Template } from "@/lib/api/client";

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

/** A template with a history of twelve builds. */
export function makeTemplate(changes: Partial<Template> = {}): Template {
  const steps: NonNullable<Template["expected_seconds"]>["steps"] = [
    { step: "nodes", p50: 1.5, p95: 2.2, left_p10: 15.1, left_p50: 17, left_p95: 22.3 },
    { step: "control_plane", p50: 9.1, p95: 12.6, left_p10: 12.4, left_p50: 14.2, left_p95: 19.8 },
    { step: "access", p50: 0.3, p95: 0.5, left_p10: 0.2, left_p50: 0.3, left_p95: 0.5 },
  ];
  return {
    name: "default",
    title: "Default",
    description: "One node.",
    kubernetes_version: "v1.37.0",
    control_planes: 1,
    workers: 0,
    addons: [],
    ttl_seconds: 3600,
    expected_seconds: { p10: 16.2, p50: 18.4, p95: 24, samples: 12, steps },
    is_default: true,
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
