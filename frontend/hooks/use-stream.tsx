"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useMemo, useSyncExternalStore, type ReactNode } from "react";
import { keys, queries } from "@/lib/api/queries";
import { NO_HISTORY, type HistoryView } from "@/lib/stream/cluster-history";
import { LabStream, openWebSocket } from "@/lib/stream/lab-stream";
import type { Connection } from "@/lib/stream/socket";

/** A hidden tab draws nothing, but must not hoard either. */
function beforePaint(flush: () => void): void {
  if (document.hidden) setTimeout(flush, 250);
  else requestAnimationFrame(flush);
}

const StreamContext = createContext<LabStream | null>(null);

/** Owns the one connection of this tab: it lives as long as somebody is signed in. */
export function StreamProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const userId = useQuery(queries.me()).data?.user.id ?? null;
  // Another person, another connection. Nothing is opened before the effect below.
  const stream = useMemo(() => (userId === null ? null : new LabStream(client, openWebSocket, beforePaint)), [client, userId]);

  useEffect(() => {
    if (stream === null) return;
    const stopWatching = stream.onConnection(() => {
      const connection = stream.readConnection();
      if (connection.status === "stopped" && connection.reason === "signed_out") {
        void client.invalidateQueries({ queryKey: keys.me });
      }
    });
    const wake = () => {
      if (!document.hidden) stream.retryNow();
    };
    stream.start();
    window.addEventListener("online", wake);
    document.addEventListener("visibilitychange", wake);
    return () => {
      window.removeEventListener("online", wake);
      document.removeEventListener("visibilitychange", wake);
      stopWatching();
      stream.dispose();
    };
  }, [client, stream]);

  return <StreamContext value={stream}>{children}</StreamContext>;
}

export function useStream(): LabStream | null {
  return useContext(StreamContext);
}

const nothing = () => () => undefined;
const CONNECTING: Connection = { status: "connecting", attempt: 1 };
const readConnecting = () => CONNECTING;

export function useConnection(): { connection: Connection; retryNow: () => void } {
  const stream = useContext(StreamContext);
  const connection = useSyncExternalStore(
    stream?.onConnection ?? nothing,
    stream?.readConnection ?? readConnecting,
    readConnecting,
  );
  return { connection, retryNow: () => stream?.retryNow() };
}

const readNoHistory = () => NO_HISTORY;

/** Follows a cluster while the caller is mounted: everything that happened to it, and what happens next. */
export function useClusterHistory(id: string | null): HistoryView {
  const stream = useContext(StreamContext);
  const history = id === null ? null : (stream?.history(id) ?? null);
  useEffect(() => (stream && id !== null ? stream.followCluster(id) : undefined), [stream, id]);
  return useSyncExternalStore(history?.subscribe ?? nothing, history?.read ?? readNoHistory, readNoHistory);
}
