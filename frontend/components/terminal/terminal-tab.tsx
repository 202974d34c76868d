"use client";

import { useQuery } from "@tanstack/react-query";
import { useEffect, useReducer, useState } from "react";
import "@xterm/xterm/css/xterm.css";
import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/notice";
import { api, type Cluster } from "@/lib/api/client";
import { asProblem } from "@/lib/api/problem";
import type { Terminal } from "@/lib/terminal/protocol";
import { beginTabs, reduceTabs, type PodWish } from "@/lib/terminal/tabs";
import { TerminalPane } from "./terminal-pane";
import { TerminalStrip } from "./terminal-strip";

interface TerminalTabProps {
  cluster: Cluster;
  /** `namespace/name`: a shell in this pod is wanted. */
  pod: string | null;
  container: string | null;
  /** What was wanted is open: a reload must not open it once more. */
  onOpened: () => void;
}

/** Shells in a cluster, each with a tab. They live on the server: a reload finds them again. */
export function TerminalTab({ cluster, pod, container, onOpened }: TerminalTabProps) {
  const isUsable = cluster.phase === "ready" || cluster.phase === "paused";
  // A shell wakes a paused cluster, so somebody has to want it. Shells that are open stay when it is paused under them.
  const [isWanted, setIsWanted] = useState(pod !== null);
  if (cluster.phase === "ready" && !isWanted) setIsWanted(true);
  const asked = useQuery({
    queryKey: ["terminals", cluster.id],
    queryFn: () => api.terminals(cluster.id),
    enabled: isUsable && isWanted,
    // Asked once each time that somebody comes: from then on the page knows better.
    gcTime: 0,
    staleTime: Infinity,
    refetchOnWindowFocus: false,
  });
  if (!isUsable) return <NotReady cluster={cluster} />;
  if (!isWanted) {
    return (
      <div className="grid justify-items-center gap-4 rounded-lg border border-line bg-surface px-4 py-10 text-center text-muted">
        <p>The cluster is paused. A terminal wakes it, in about half a second.</p>
        <Button onClick={() => setIsWanted(true)}>Open a terminal</Button>
      </div>
    );
  }
  if (asked.isError) {
    const problem = asProblem(asked.error);
    return (
      <Notice title={problem.title} action={<Button onClick={() => void asked.refetch()}>Try again</Button>}>
        {problem.words}
      </Notice>
    );
  }
  if (!asked.data) return <div className="skeleton h-100" role="status" aria-label="Looking for open terminals" />;
  return <Terminals cluster={cluster} listed={asked.data.items} wish={pod === null ? null : { pod, container }} onOpened={onOpened} />;
}

function Terminals({ cluster, listed, wish, onOpened }: { cluster: Cluster; listed: readonly Terminal[]; wish: PodWish | null; onOpened: () => void }) {
  const [tabs, act] = useReducer(reduceTabs, { listed, wish }, beginTabs);
  const isWished = wish !== null;
  useEffect(() => {
    if (isWished) onOpened();
    // Once: what is wanted later comes with a new address, and so with a new view.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  const close = (key: string) => {
    const session = tabs.entries.find((entry) => entry.key === key)?.session ?? null;
    act({ type: "close", key });
    // One that cannot be told ends by itself, two minutes after nobody looks at it.
    if (session !== null) api.closeTerminal(cluster.id, session).catch(() => undefined);
  };

  return (
    <section aria-label="Terminals" className="grid gap-3">
      {cluster.driver === "simulated" ? (
        <p className="stripes rounded-lg border border-line bg-warn-soft px-4 py-2 text-sm">
          <strong className="font-semibold text-warn">Simulated.</strong> A script plays this shell: there is no cluster behind it.
        </p>
      ) : null}
      <div className="overflow-hidden rounded-lg border border-line bg-surface">
        <TerminalStrip tabs={tabs} onChoose={(key) => act({ type: "choose", key })} onClose={close} onOpen={() => act({ type: "open" })} />
        {tabs.entries.map((entry) => (
          <TerminalPane
            key={entry.key}
            cluster={cluster}
            entry={entry}
            isShown={entry.key === tabs.current}
            onSession={(session) => act({ type: "named", key: entry.key, session })}
            onAgain={() => act({ type: "again", key: entry.key })}
            onClose={() => close(entry.key)}
          />
        ))}
        {tabs.entries.length === 0 ? (
          <div className="grid justify-items-center gap-3 px-4 py-16 text-center">
            <p className="text-muted">No terminal is open.</p>
            <Button look="primary" onClick={() => act({ type: "open" })}>
              Open a terminal
            </Button>
          </div>
        ) : null}
      </div>
    </section>
  );
}

function NotReady({ cluster }: { cluster: Cluster }) {
  const words = {
    pending: "The terminal is here as soon as the cluster is ready.",
    provisioning: "The terminal is here as soon as the cluster is ready.",
    paused: "",
    failed: "The cluster failed, so there is no shell in it. The tab Build says why.",
    deleting: "The cluster is being deleted; its terminals have ended.",
    deleted: "The cluster is deleted; its terminals have ended.",
    ready: "",
  }[cluster.phase];
  return <p className="rounded-lg border border-line bg-surface px-4 py-10 text-center text-muted">{words}</p>;
}
