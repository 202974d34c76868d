"use client";

import { useState } from "react";
import { ClosableNotice } from "@/components/ui/closable-notice";
import { ClockIcon } from "@/components/ui/icons";
import type { Cluster } from "@/lib/api/client";
import type { ApiProblem } from "@/lib/api/problem";
import { classes } from "@/lib/text/classes";
import { endsSoon, isLeased, urgencyOf } from "@/lib/text/lease";
import { left, secondsLeft } from "@/lib/text/time";
import { ExtendByHour } from "./extend-button";

/** On the page of a cluster whose end is near: what happens, and the way out. */
export function LeaseBar({ cluster, now }: { cluster: Cluster; now: number }) {
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  if (!isLeased(cluster) || !endsSoon(cluster, now)) return null;
  const seconds = secondsLeft(cluster, now);
  const isNow = urgencyOf(seconds) === "now";
  return (
    <aside aria-label="Time left" className="appear mt-4 grid gap-3">
      <div className={classes("flex flex-wrap items-center gap-x-3 gap-y-1.5 rounded-lg border py-1.5 pr-1.5 pl-3.5 text-sm", isNow ? "border-bad-line bg-bad-soft" : "border-line-strong bg-warn-soft")}>
        <ClockIcon className={isNow ? "text-bad" : "text-warn"} />
        <p className="min-w-0 grow basis-48">
          <span className="font-medium">{seconds <= 0 ? "Its time is over." : `Ends in ${left(seconds)}.`}</span>{" "}
          <span className="text-muted">Then the cluster and everything in it are deleted.</span>
        </p>
        <ExtendByHour cluster={cluster} onProblem={setProblem} />
      </div>
      {problem ? <ClosableNotice title={problem.title} words={problem.words} onClose={() => setProblem(null)} /> : null}
    </aside>
  );
}
