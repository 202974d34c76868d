"use client";

import { useState } from "react";
import { LabLink } from "@/components/shell/lab-link";
import { Button, buttonClasses } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { CrossIcon } from "@/components/ui/icons";
import { Notice } from "@/components/ui/notice";
import { useNow } from "@/hooks/use-now";
import type { EventRow, PodRow } from "@/lib/resources/reduce";
import { classes } from "@/lib/text/classes";
import { Age, Restarts, shortNode } from "./columns";
import { HealthLabel } from "./health-label";
import { PodLog } from "./pod-log";

interface PodPanelProps {
  clusterId: string;
  pod: PodRow;
  isGone: boolean;
  events: EventRow[];
  onClose: () => void;
}

/** The address of the terminal tab with a shell in a container. */
export function shellHref(clusterId: string, pod: PodRow, container: string): string {
  const query = new URLSearchParams({ tab: "terminal", pod: `${pod.namespace}/${pod.name}`, container });
  return `/clusters/${clusterId}?${query.toString()}`;
}

/** One pod: its containers, what Kubernetes tells about it, and the log of one container as it is written. */
export function PodPanel({ clusterId, pod, isGone, events, onClose }: PodPanelProps) {
  const now = useNow(1000);
  const [chosen, setChosen] = useState<string | null>(null);
  const container = pod.containers.find(({ name }) => name === chosen) ?? firstToLookAt(pod);
  return (
    <Dialog title={`Pod ${pod.name}`} hideTitle shape="wide-sheet" onClose={onClose}>
      <div className="flex min-h-0 grow flex-col gap-4 overflow-y-auto px-4 py-4 sm:px-6">
        <div className="flex items-start gap-3">
          <div className="min-w-0 grow">
            <p className="text-sm text-muted">{pod.namespace}</p>
            <p className="text-lg font-semibold">{pod.name}</p>
          </div>
          <Button look="ghost" size="sm" className="w-7 px-0!" aria-label="Close" onClick={onClose}>
            <CrossIcon />
          </Button>
        </div>
        {isGone ? <Notice tone="plain" title="This pod is gone">What is shown is the last that was known of it.</Notice> : null}
        <dl className="flex flex-wrap gap-x-8 gap-y-2">
          <Fact name="Status">
            <HealthLabel health={pod.health}>{pod.status}</HealthLabel>
          </Fact>
          <Fact name="Ready">{`${pod.ready}/${pod.total}`}</Fact>
          <Fact name="Restarts">
            <Restarts pod={pod} now={now} />
          </Fact>
          <Fact name="Age">
            <Age since={pod.created_at} now={now} />
          </Fact>
          <Fact name="Node">{pod.node ? shortNode(pod.node) : "none yet"}</Fact>
          {pod.ip ? <Fact name="Address">{pod.ip}</Fact> : null}
          {pod.owner ? <Fact name="Made by">{pod.owner}</Fact> : null}
        </dl>
        {pod.health === "bad" && pod.message ? <p className="rounded-lg border border-bad-line bg-bad-soft px-3 py-2 font-mono text-sm">{pod.message}</p> : null}
        <section aria-label="Containers" className="shrink-0 overflow-hidden rounded-lg border border-line">
          <ul>
            {pod.containers.map((each) => (
              <li
                key={each.name}
                className={classes("relative flex flex-wrap items-center gap-x-4 gap-y-1 border-b border-line py-1.5 pr-1.5 pl-3 last:border-b-0", each === container && "bg-raised")}
              >
                <button type="button" aria-pressed={each === container} className="font-medium after:absolute after:inset-0" onClick={() => setChosen(each.name)}>
                  {each.name}
                  {each.is_init ? <span className="font-normal text-faint"> runs first</span> : null}
                </button>
                <span className="text-sm">
                  <HealthLabel health={each.health}>{each.state}</HealthLabel>
                </span>
                <code className="min-w-0 grow basis-40 truncate font-mono text-sm text-muted">{each.image}</code>
                {each.state === "Running" && !isGone ? (
                  <LabLink className={buttonClasses({ size: "sm" }, "relative z-1")} href={shellHref(clusterId, pod, each.name)} aria-label={`Shell in ${each.name}`} onClick={onClose}>
                    Shell
                  </LabLink>
                ) : (
                  <span className="h-7" />
                )}
              </li>
            ))}
          </ul>
        </section>
        {container ? <PodLog key={container.name} clusterId={clusterId} pod={pod} container={container} isGone={isGone} /> : null}
        <section aria-label="Events" className="shrink-0">
          <h3 className="mb-1 font-semibold">What Kubernetes tells</h3>
          {events.length === 0 ? <p className="text-sm text-muted">Nothing in the last hour.</p> : null}
          <ul className="grid gap-1.5 text-sm">
            {events.map((event) => (
              <li key={event.uid} className="grid grid-cols-[72px_minmax(0,1fr)] gap-x-3">
                <Age since={event.last_seen} now={now} />
                <span className="text-muted">
                  <span className={event.type === "Warning" ? "font-medium text-warn" : "font-medium text-text"}>{event.reason}</span>
                  {event.count > 1 ? ` ${event.count} times` : ""}: {event.message}
                </span>
              </li>
            ))}
          </ul>
        </section>
      </div>
    </Dialog>
  );
}

/** The container that is not well, or else the first one that stays. */
function firstToLookAt(pod: PodRow): PodRow["containers"][number] | undefined {
  return pod.containers.find(({ health }) => health === "bad") ?? pod.containers.find(({ is_init }) => !is_init) ?? pod.containers[0];
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-sm text-faint">{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
