"use client";

import { useEffect, useRef } from "react";
import { Button } from "@/components/ui/button";
import { Choice } from "@/components/ui/choice";
import { Field } from "@/components/ui/field";
import type { Capacity, Template } from "@/lib/api/client";
import type { ApiProblem } from "@/lib/api/problem";
import { friendlyName, nameProblem } from "@/lib/text/friendly-name";
import { coarse } from "@/lib/text/time";
import type { Draft } from "./create-draft";
import { TemplateChoice } from "./template-choice";

const LIFETIMES = [1800, 3600, 4 * 3600, 8 * 3600, 86_400, 3 * 86_400];
const MAX_WORKERS = 5;

const SCRIPTS = [
  { value: "", label: "Succeeds" },
  { value: "slow", label: "Slowly" },
  { value: "fail-start", label: "Fails at once" },
  { value: "fail-late", label: "Fails late" },
  { value: "hang", label: "Hangs" },
  { value: "flood:20000:2000", label: "Floods the log" },
];

interface CreateFieldsProps {
  draft: Draft;
  templates: Template[];
  template: Template;
  pool: Capacity["pool"];
  maxTtlSeconds: number | null;
  simulated: boolean;
  problem: ApiProblem | null;
  onChange: (changes: Partial<Draft>) => void;
}

export function CreateFields({ draft, templates, template, pool, maxTtlSeconds, simulated, problem, onChange }: CreateFieldsProps) {
  const nameInput = useRef<HTMLInputElement>(null);
  useEffect(() => nameInput.current?.focus(), []);
  const ttl = draft.ttlSeconds ?? template.ttl_seconds;
  const lifetimes = [...new Set([...LIFETIMES, template.ttl_seconds])]
    .filter((seconds) => maxTtlSeconds === null || seconds <= maxTtlSeconds)
    .sort((a, b) => a - b);
  // What is prebuilt is as the template says.
  const isAsTemplate =
    (draft.workers ?? template.workers) === template.workers && [template.kubernetes_version, ""].includes(draft.kubernetesVersion.trim());
  const nameError = nameProblem(draft.name) ?? problem?.fieldError("name") ?? (problem?.code === "name_taken" ? problem.words : null);

  return (
    <>
      <TemplateChoice
        templates={templates}
        chosen={template.name}
        pool={isAsTemplate ? pool : without(pool, template.name)}
        onChange={(name) => onChange({ template: name, workers: null, ttlSeconds: null })}
      />
      <Field
        label="Name"
        name="name"
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        inputRef={nameInput}
        value={draft.name}
        onFocus={(event) => event.target.select()}
        onChange={(event) => onChange({ name: event.target.value.trim().toLowerCase() })}
        error={nameError}
        aside={
          <Button size="sm" look="ghost" className="-my-1" onClick={() => onChange({ name: friendlyName(Math.random) })}>
            Another one
          </Button>
        }
      />
      <Choice
        legend="Lifetime"
        value={ttl}
        options={lifetimes.map((seconds) => ({ value: seconds, label: coarse(seconds) }))}
        onChange={(ttlSeconds) => onChange({ ttlSeconds })}
        hint="Counts from the moment the cluster is ready. Then it is deleted by itself."
      />
      <Choice
        legend="Workers"
        value={draft.workers ?? template.workers}
        options={Array.from({ length: MAX_WORKERS + 1 }, (_, count) => ({ value: count, label: count === 0 ? "None" : String(count) }))}
        onChange={(workers) => onChange({ workers })}
        hint={(draft.workers ?? template.workers) === 0 ? "The control plane runs your pods too." : undefined}
      />
      <details className="group border-t border-line pt-4">
        <summary className="rounded-sm text-sm font-medium text-muted hover:text-text">Advanced</summary>
        <div className="mt-4 grid gap-5">
          <Field
            label="Kubernetes version"
            placeholder={template.kubernetes_version}
            value={draft.kubernetesVersion}
            onChange={(event) => onChange({ kubernetesVersion: event.target.value })}
            error={problem?.fieldError("kubernetes_version")}
            hint="Empty: as the template says."
          />
          <Field
            label="Labels"
            placeholder="team=payments, branch=1432"
            value={draft.labels}
            onChange={(event) => onChange({ labels: event.target.value })}
            error={problem?.fieldError("labels")}
            hint="For finding it again. Separate them with commas."
          />
          {simulated ? (
            <Choice
              legend="Script of the simulation"
              value={draft.simulate ?? ""}
              options={SCRIPTS}
              onChange={(script) => onChange({ simulate: script === "" ? null : script })}
            />
          ) : null}
        </div>
      </details>
    </>
  );
}

function without(pool: Capacity["pool"], name: string): Capacity["pool"] {
  return Object.fromEntries(Object.entries(pool).filter(([template]) => template !== name));
}
