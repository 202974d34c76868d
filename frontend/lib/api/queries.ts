import { queryOptions, type QueryClient } from "@tanstack/react-query";
import { api, type Cluster, type Phase } from "./client";
import { asProblem } from "./problem";

export const keys = {
  server: ["server"] as const,
  me: ["me"] as const,
  templates: ["templates"] as const,
  capacity: ["capacity"] as const,
  clusters: ["clusters"] as const,
  ended: ["clusters-ended"] as const,
  cluster: (id: string) => ["cluster", id] as const,
  tokens: ["tokens"] as const,
  credentials: (id: string) => ["credentials", id] as const,
  apps: (id: string) => ["apps", id] as const,
  images: (id: string) => ["images", id] as const,
  usage: (id: string, phase: Phase) => ["usage", id, phase] as const,
  pool: ["pool"] as const,
  idle: (id: string) => ["idle", id] as const,
};

function isOutage(error: unknown): boolean {
  const { status } = asProblem(error);
  return status === 0 || status >= 500;
}

/** A refusal stays a refusal; only silence and overload are worth another try. */
export function worthRetrying(failures: number, error: unknown): boolean {
  return failures < 2 && isOutage(error);
}

export const queries = {
  server: () => queryOptions({ queryKey: keys.server, queryFn: api.server, staleTime: 60_000 }),
  me: () =>
    queryOptions({
      queryKey: keys.me,
      queryFn: api.me,
      staleTime: 60_000,
      // A server that is just starting is waited for, without a click.
      refetchInterval: ({ state }) => (state.error && isOutage(state.error) ? 3000 : false),
    }),
  templates: () => queryOptions({ queryKey: keys.templates, queryFn: api.templates, staleTime: 60_000 }),
  capacity: () => queryOptions({ queryKey: keys.capacity, queryFn: api.capacity, refetchInterval: 30_000 }),
  // The stream keeps these two up to date: REST gives only the first value.
  clusters: () =>
    queryOptions({ queryKey: keys.clusters, queryFn: async () => (await api.clusters()).items, staleTime: Infinity }),
  cluster: (id: string) =>
    queryOptions({ queryKey: keys.cluster(id), queryFn: () => api.cluster(id), staleTime: Infinity }),
  ended: () => queryOptions({ queryKey: keys.ended, queryFn: async () => (await api.endedClusters()).items }),
  // Who made or ended one is told by the stream; when one was used is not.
  credentials: (id: string) =>
    queryOptions({
      queryKey: keys.credentials(id),
      queryFn: async () => (await api.credentials(id)).items,
      refetchInterval: 30_000,
    }),
  apps: (id: string) => queryOptions({ queryKey: keys.apps(id), queryFn: async () => (await api.apps(id)).items }),
  images: (id: string) => queryOptions({ queryKey: keys.images(id), queryFn: async () => (await api.images(id)).items }),
  // It costs the server a second: not asked for while nobody looks, but at once when somebody looks again.
  usage: (id: string, phase: Phase) =>
    queryOptions({ queryKey: keys.usage(id, phase), queryFn: () => api.usage(id), refetchInterval: 15_000, refetchOnWindowFocus: true }),
  idle: (id: string) => queryOptions({ queryKey: keys.idle(id), queryFn: () => api.idle(id), refetchInterval: 30_000 }),
  // Nobody streams it: it is asked for more often while it changes.
  pool: () =>
    queryOptions({
      queryKey: keys.pool,
      queryFn: async () => (await api.pool()).items,
      refetchInterval: ({ state }) => (state.data?.some(({ ready, size, building }) => ready !== size || building > 0) ? 2000 : 15_000),
    }),
  tokens: () => queryOptions({ queryKey: keys.tokens, queryFn: async () => (await api.tokens()).items }),
};

/** Puts a cluster into the caches, unless they hold a newer one: answers overtake each other. */
export function rememberCluster(client: QueryClient, cluster: Cluster): void {
  client.setQueryData<Cluster>(keys.cluster(cluster.id), (old) => newer(old, cluster));
  client.setQueryData<Cluster[]>(keys.clusters, (old) => {
    if (!old) return old;
    const known = old.some((other) => other.id === cluster.id);
    if (!known) return cluster.phase === "deleted" ? old : [cluster, ...old];
    return old.map((other) => (other.id === cluster.id ? newer(other, cluster) : other));
  });
}

export function newer(old: Cluster | undefined, cluster: Cluster): Cluster {
  return old?.epoch === cluster.epoch && old.last_seq > cluster.last_seq ? old : cluster;
}
