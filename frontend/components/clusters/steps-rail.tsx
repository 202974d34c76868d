"use client";

import { CheckIcon, CircleIcon, CrossIcon, SpinnerIcon } from "@/components/ui/icons";
import { useNow } from "@/hooks/use-now";
import type { Cluster, Step } from "@/lib/api/client";
import type { HistoryView, StepRecord } from "@/lib/stream/cluster-history";
import { classes } from "@/lib/text/classes";
import type { Expected } from "@/lib/text/forecast";
import { fine, secondsBetween } from "@/lib/text/time";
import { expectedSteps, STEPS } from "@/lib/text/words";
import { BuildSummary } from "./build-summary";

/** The steps of the build with what each of them took. */
export function StepsRail({ cluster, history, expected }: { cluster: Cluster; history: HistoryView; expected: Expected | null }) {
  const building = cluster.phase === "provisioning" || cluster.phase === "pending";
  const now = useNow(building ? 100 : null);
  const done = new Set(history.steps.map((record) => record.step));
  const coming = building ? expectedSteps(cluster, history.totalSteps).filter((step) => !done.has(step)) : [];
  const longest = Math.max(1, ...history.steps.map((record) => secondsOf(record, now)));
  const isEmpty = history.steps.length === 0 && coming.length === 0;

  return (
    <div className="self-start lg:sticky lg:top-4">
      {isEmpty ? null : (
        <ol aria-label="Steps of the build">
          {history.steps.map((record) => (
            <StepItem key={record.step} record={record} ended={!building} now={now} longest={longest} />
          ))}
          {coming.map((step) => (
            <Coming key={step} step={step} />
          ))}
        </ol>
      )}
      <BuildSummary cluster={cluster} startedAt={history.startedAt} latest={history.steps.at(-1)} now={now} expected={expected} isEmpty={isEmpty} />
    </div>
  );
}

function secondsOf(record: StepRecord, now: number): number {
  return record.durationSeconds ?? secondsBetween(record.startedAt, now);
}

const ICONS = {
  running: <SpinnerIcon className="text-accent" />,
  succeeded: <CheckIcon className="text-good" />,
  failed: <CrossIcon className="text-bad" />,
  stopped: <CircleIcon className="text-faint" />,
};
const WORDS = { running: "runs", succeeded: "done", failed: "failed", stopped: "stopped" };
const BARS = { running: "fill-accent", succeeded: "fill-good", failed: "fill-bad", stopped: "fill-faint" };

function StepItem({ record, ended, now, longest }: { record: StepRecord; ended: boolean; now: number; longest: number }) {
  // The answer to a cancel may be here before the event that ends the step.
  const state = record.outcome === "running" && ended ? "stopped" : record.outcome;
  const seconds = secondsOf(record, now);
  const share = Math.max(1, (100 * seconds) / longest);
  return (
    <li data-step={record.step} data-state={state} className={classes("grid grid-cols-[16px_1fr_auto] items-center gap-x-3 gap-y-2 rounded-lg px-2.5 py-2 max-lg:py-1.5", state === "running" && "bg-accent-soft")}>
      {ICONS[state]}
      <span className={classes(state === "running" && "font-medium")}>
        {STEPS[record.step].title}
        <span className="sr-only">, {WORDS[state]}</span>
      </span>
      <span className="text-muted">{fine(seconds)}</span>
      <span aria-hidden="true" className={classes("relative col-span-2 col-start-2 overflow-hidden rounded-full", state === "running" ? "hairline block" : "block max-lg:hidden")}>
        <svg viewBox="0 0 100 3" preserveAspectRatio="none" className="block h-[3px] w-full">
          <rect width="100" height="3" className="fill-line" />
          <rect width={share} height="3" className={BARS[state]} />
        </svg>
      </span>
    </li>
  );
}

function Coming({ step }: { step: Step }) {
  return (
    <li data-step={step} data-state="coming" className="grid grid-cols-[16px_1fr_auto] items-center gap-x-3 px-2.5 py-2 text-faint max-lg:py-1.5">
      <CircleIcon className="size-4" />
      <span>
        {STEPS[step].title}
        <span className="sr-only">, to come</span>
      </span>
    </li>
  );
}
