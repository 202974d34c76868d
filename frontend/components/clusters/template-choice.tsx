"use client";

import type { Capacity, Template } from "@/lib/api/client";
import { classes } from "@/lib/text/classes";
import { coarse } from "@/lib/text/time";
import { kubernetesOf, plural } from "@/lib/text/words";

/** How long it takes until it is ready, in words; null when nobody knows yet. */
export function expectedWords(template: Template, pool: Capacity["pool"]): string | null {
  const prebuilt = pool[template.name]?.prebuilt ?? 0;
  return prebuilt > 0 ? `ready at once (${prebuilt} prebuilt)` : usualWords(template);
}

/** How long a build takes, in words; null when nobody knows yet. */
export function usualWords(template: Template): string | null {
  return template.expected_seconds ? `usually ${coarse(Math.round(template.expected_seconds.p50))}` : null;
}

interface TemplateChoiceProps {
  templates: Template[];
  chosen: string;
  pool: Capacity["pool"];
  onChange: (name: string) => void;
}

export function TemplateChoice({ templates, chosen, pool, onChange }: TemplateChoiceProps) {
  return (
    <fieldset>
      <legend className="mb-1.5 text-sm font-medium">Template</legend>
      <div className="overflow-hidden rounded-lg border border-line-strong">
        {templates.map((template) => {
          const isChosen = template.name === chosen;
          return (
            <label
              key={template.name}
              className={classes(
                "relative flex cursor-pointer items-start gap-3 border-b border-line px-3.5 py-3 transition-[background] last:border-b-0",
                "has-focus-visible:outline-2 has-focus-visible:-outline-offset-2 has-focus-visible:outline-accent",
                isChosen ? "bg-accent-soft" : "hover:bg-raised",
              )}
            >
              <input type="radio" name="template" aria-label={template.title} className="sr-only" checked={isChosen} onChange={() => onChange(template.name)} />
              <span
                aria-hidden="true"
                className={classes("mt-1 size-3 shrink-0 rounded-full border", isChosen ? "border-4 border-accent" : "border-line-strong")}
              />
              <span className="min-w-0 grow">
                <span className="flex flex-wrap items-baseline justify-between gap-x-3">
                  <span className="font-medium">{template.title}</span>
                  <span className="text-sm text-muted">{expectedWords(template, pool)}</span>
                </span>
                <span className="block text-sm text-muted">{template.description}</span>
                <span className="block text-sm text-faint">
                  {kubernetesOf(template)} · {plural(template.control_planes + template.workers, "node")}
                </span>
              </span>
            </label>
          );
        })}
      </div>
    </fieldset>
  );
}
