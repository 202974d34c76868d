"use client";

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { DeleteDialog } from "@/components/shell/lazy";
import { NOTIFY_NOTE, NotifySetting } from "@/components/shell/notify-setting";
import { Button } from "@/components/ui/button";
import { CopyButton } from "@/components/ui/copy-button";
import type { Cluster } from "@/lib/api/client";
import { queries } from "@/lib/api/queries";
import { idleWords } from "@/lib/text/idle";
import { coarse, when } from "@/lib/text/time";
import { kubernetesOf, plural } from "@/lib/text/words";
import { labelsOf } from "./filters";
import { Section } from "./section";
import { UsageSection } from "./usage-section";

export function SettingsTab({ cluster }: { cluster: Cluster }) {
  const [deleting, setDeleting] = useState(false);
  const gone = cluster.phase === "deleting" || cluster.phase === "deleted";
  const facts: [string, string][] = [
    ["Template", cluster.template],
    ["Kubernetes", kubernetesOf(cluster)],
    ["Nodes", `${plural(cluster.control_planes, "control plane")}, ${plural(cluster.workers, "worker")}`],
    ["Labels", labelsOf(cluster).join(", ") || "none"],
    ["Driver", cluster.driver],
    ["Lifetime", coarse(cluster.ttl_seconds)],
    ["Created", when(cluster.created_at)],
    ["Ready", cluster.ready_at ? when(cluster.ready_at) : "not yet"],
    ["Unused", useIdleWords(cluster)],
    ["Ends", cluster.expires_at ? when(cluster.expires_at) : `${coarse(cluster.ttl_seconds)} after it is ready`],
  ];
  return (
    <div className="grid gap-8">
      <Section title="What was asked for">
        <dl className="w-full overflow-hidden rounded-lg border border-line bg-surface">
          {facts.map(([name, value]) => (
            <div key={name} className="grid grid-cols-[110px_minmax(0,1fr)] gap-3 border-b border-line px-4 py-2">
              <dt className="text-muted">{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
          <div className="grid grid-cols-[110px_minmax(0,1fr)] items-center gap-3 py-1 pr-1 pl-4">
            <dt className="text-muted">Id</dt>
            <dd className="flex items-center justify-between gap-2 font-mono text-sm">
              {cluster.id}
              <CopyButton what="the id" text={cluster.id} />
            </dd>
          </div>
        </dl>
      </Section>
      {cluster.phase === "ready" || cluster.phase === "paused" ? <UsageSection cluster={cluster} /> : null}
      {gone ? null : (
        <Section title="Notifications" note={NOTIFY_NOTE}>
          <NotifySetting />
        </Section>
      )}
      {gone ? null : (
        <Section title="Delete" note="Removes its containers, its network and its files, and takes it from your list. The log stays readable.">
          <Button look="danger" onClick={() => setDeleting(true)}>
            Delete {cluster.name}
          </Button>
        </Section>
      )}
      {deleting ? <DeleteDialog cluster={cluster} onClose={() => setDeleting(false)} /> : null}
    </div>
  );
}

/** When the cluster is paused because nobody uses it. */
function useIdleWords(cluster: Cluster): string {
  const isUp = cluster.phase === "ready" || cluster.phase === "paused";
  const { data } = useQuery({ ...queries.idle(cluster.id), enabled: isUp });
  if (!isUp) return "not counted while it is not up";
  return data ? idleWords(data) : "…";
}
