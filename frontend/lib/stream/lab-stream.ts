import type { QueryClient } from "@tanstack/react-query";
import type { Cluster, ClusterEvent } from "@/lib/api/client";
import { keys, newer } from "@/lib/api/queries";
import type { LeaseWarning } from "@/lib/text/lease";
import { applyEvent } from "./apply-event";
import { ClusterHistory } from "./cluster-history";
import { CLUSTERS, clusterTopic } from "./protocol";
import { LabSocket, type Connection, type Follower, type Wire } from "./socket";

const KEPT_HISTORIES = 6;

/** The page's one connection: what comes in goes into the query cache and into the histories. */
export class LabStream {
  private connection: Connection = { status: "connecting", attempt: 1 };
  private readonly listeners = new Set<() => void>();
  private readonly leaseListeners = new Set<(warning: LeaseWarning) => void>();
  private readonly histories = new Map<string, ClusterHistory>();
  private readonly socket: LabSocket;

  constructor(
    private readonly cache: QueryClient,
    open: (protocol: string) => Wire,
    private readonly schedule: (flush: () => void) => void,
  ) {
    this.socket = new LabSocket({
      open,
      random: Math.random,
      clock: {
        now: Date.now,
        after: (milliseconds, callback) => {
          const timer = setTimeout(callback, milliseconds);
          return () => clearTimeout(timer);
        },
      },
      onConnection: (connection) => this.setConnection(connection),
    });
    this.socket.follow(this.clustersFollower());
  }

  readonly start = (): void => this.socket.start();
  readonly retryNow = (): void => this.socket.retryNow();
  readonly readConnection = (): Connection => this.connection;
  readonly onConnection = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Hears of each lease that ends soon, once, as the server says it. */
  readonly onLeaseWarning = (listener: (warning: LeaseWarning) => void): (() => void) => {
    this.leaseListeners.add(listener);
    return () => this.leaseListeners.delete(listener);
  };

  dispose(): void {
    this.socket.dispose();
  }

  /** Everything that happened to a cluster, from the first line; goes on while it is followed. */
  history(id: string): ClusterHistory {
    const known = this.histories.get(id);
    if (known) return known;
    const history = new ClusterHistory(this.schedule);
    this.histories.set(id, history);
    const [oldest] = this.histories.keys();
    if (this.histories.size > KEPT_HISTORIES && oldest !== undefined) this.histories.delete(oldest);
    return history;
  }

  followCluster(id: string): () => void {
    const history = this.history(id);
    let leave: () => void = () => undefined;
    /** Something is missing, which must not be: what is shown is never wrong, so it is fetched. */
    const askAgain = (): void => {
      leave();
      leave = this.socket.follow(follower);
    };
    const follower: Follower = {
      topic: clusterTopic(id),
      cursor: () => history.lastSeq,
      startOver: () => {
        history.clear();
        void this.cache.invalidateQueries({ queryKey: keys.cluster(id) });
      },
      asked: () => history.markBehind(),
      receive: (frame) => {
        if (frame.type === "events") {
          if (history.append(frame.events)) this.fold(id, frame.events);
          else askAgain();
        } else if (frame.type === "bookmark") {
          if (frame.seq > history.lastSeq) askAgain();
          else history.markCaughtUp();
        } else if (frame.type === "end") {
          if (frame.seq > history.lastSeq) askAgain();
          else history.markEnded();
        } else if (frame.type === "lagged") {
          history.markBehind();
        } else if (frame.type === "error") {
          history.markCaughtUp();
        }
      },
    };
    if (!history.read().ended) leave = this.socket.follow(follower);
    return () => leave();
  }

  private fold(id: string, events: readonly ClusterEvent[]): void {
    this.cache.setQueryData<Cluster>(keys.cluster(id), (old) => foldEvents(old, events));
  }

  private clustersFollower(): Follower {
    return {
      topic: CLUSTERS,
      cursor: () => null,
      startOver: () => void this.cache.invalidateQueries({ queryKey: keys.clusters }),
      receive: (frame) => {
        if (frame.type === "snapshot" && "clusters" in frame) this.replaceClusters(frame.clusters);
        else if (frame.type === "events") this.applyToList(frame.events);
      },
    };
  }

  private replaceClusters(clusters: Cluster[]): void {
    this.cache.setQueryData<Cluster[]>(keys.clusters, (old) => {
      const before = new Map(old?.map((cluster) => [cluster.id, cluster]));
      return living(clusters.map((cluster) => newer(before.get(cluster.id), cluster)));
    });
    void this.cache.invalidateQueries({ queryKey: keys.capacity });
  }

  private applyToList(events: readonly ClusterEvent[]): void {
    this.cache.setQueryData<Cluster[]>(keys.clusters, (old) => foldList(old ?? [], events));
    for (const event of events) if (event.type === "lease_expiring") this.warn(event);
    if (events.some((event) => event.type === "phase_changed" || event.type === "created")) {
      void this.cache.invalidateQueries({ queryKey: keys.capacity });
      void this.cache.invalidateQueries({ queryKey: keys.ended });
      void this.cache.invalidateQueries({ queryKey: keys.templates });
    }
  }

  private warn({ cluster_id: clusterId, seq, data }: Extract<ClusterEvent, { type: "lease_expiring" }>): void {
    if (!clusterId) return;
    for (const listener of this.leaseListeners) listener({ clusterId, seq, expiresAt: data.expires_at });
  }

  private setConnection(connection: Connection): void {
    this.connection = connection;
    for (const listener of this.listeners) listener();
  }
}

function foldEvents(cluster: Cluster | undefined, events: readonly ClusterEvent[]): Cluster | undefined {
  return events.reduce<Cluster | null>(applyEvent, cluster ?? null) ?? undefined;
}

/** All of a caller's clusters after events that name their cluster. A new one goes on top, a deleted one goes. */
export function foldList(clusters: readonly Cluster[], events: readonly ClusterEvent[]): Cluster[] {
  const byId = new Map(clusters.map((cluster) => [cluster.id, cluster]));
  const arrived: string[] = [];
  for (const event of events) {
    const id = event.cluster_id;
    if (!id) continue;
    if (!byId.has(id)) arrived.unshift(id);
    const next = applyEvent(byId.get(id) ?? null, event);
    if (next) byId.set(id, next);
  }
  const order = [...arrived, ...clusters.map((cluster) => cluster.id)];
  return living(order.flatMap((id) => byId.get(id) ?? []));
}

function living(clusters: Cluster[]): Cluster[] {
  return clusters.filter((cluster) => cluster.phase !== "deleted");
}

/** Opens the stream of the server that this page came from. */
export function openWebSocket(protocol: string): Wire {
  const { protocol: scheme, host } = window.location;
  return new WebSocket(`${scheme === "https:" ? "wss" : "ws"}://${host}/api/v1/stream`, protocol) as unknown as Wire;
}

