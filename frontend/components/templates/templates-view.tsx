"use client";

import { useQuery } from "@tanstack/react-query";
import { expectedWords, usualWords } from "@/components/clusters/template-choice";
import { Button } from "@/components/ui/button";
import { CommandLine } from "@/components/ui/command-line";
import { Notice } from "@/components/ui/notice";
import { useTitle } from "@/hooks/use-title";
import type { Capacity, Template } from "@/lib/api/client";
import { asProblem } from "@/lib/api/problem";
import { queries } from "@/lib/api/queries";
import { coarse } from "@/lib/text/time";
import { kubernetesOf, plural } from "@/lib/text/words";

export function TemplatesView() {
  useTitle("Templates");
  const templates = useQuery(queries.templates());
  const pool = useQuery(queries.capacity()).data?.pool ?? {};
  return (
    <>
      <h1 className="text-xl font-semibold">Templates</h1>
      <p className="mt-1 text-muted">What a cluster can be made from.</p>
      <div className="mt-6">
        {templates.isError ? (
          <Notice title="The templates could not be read" action={<Button onClick={() => void templates.refetch()}>Try again</Button>}>
            {asProblem(templates.error).words}
          </Notice>
        ) : templates.data ? (
          <ul className="overflow-hidden rounded-lg border border-line bg-surface">
            {templates.data.items.map((template) => (
              <TemplateItem key={template.name} template={template} pool={pool} />
            ))}
          </ul>
        ) : (
          <div className="skeleton h-60" aria-busy="true" />
        )}
      </div>
    </>
  );
}

function TemplateItem({ template, pool }: { template: Template; pool: Capacity["pool"] }) {
  const facts = [
    kubernetesOf(template),
    plural(template.control_planes + template.workers, "node"),
    `lives ${coarse(template.ttl_seconds)}`,
    ...template.addons,
  ];
  return (
    <li className="grid gap-x-8 gap-y-3 border-b border-line px-5 py-4.5 last:border-b-0 md:grid-cols-[minmax(0,1fr)_minmax(0,400px)] md:items-center">
      <div>
        <h2 className="flex flex-wrap items-center gap-x-2 font-semibold">
          {template.title}
          {template.is_default ? <span className="rounded-sm border border-line-strong px-1.5 text-xs font-medium text-muted">default</span> : null}
        </h2>
        <p className="mt-0.5 text-muted">{template.description}</p>
        <p className="mt-1 text-sm text-faint">{facts.join(" · ")}</p>
        <p className="text-sm text-faint">{speedOf(template, pool)}</p>
      </div>
      <CommandLine command={`pyk8s create --template ${template.name} --wait`} />
    </li>
  );
}

/** Fewer builds say nothing about the slow ones. */
const ENOUGH_SAMPLES = 5;

function speedOf(template: Template, pool: Capacity["pool"]): string {
  const words = expectedWords(template, pool);
  const usual = usualWords(template);
  const { expected_seconds: expected } = template;
  if (!expected) return words ?? "not built here yet, so nobody knows how long it takes";
  const slow = expected.samples >= ENOUGH_SAMPLES ? `, slow ones ${coarse(Math.round(expected.p95))}` : "";
  // Once the pool is empty it is built as ever.
  return `${words === usual ? "" : `${words ?? ""}, else `}${usual ?? ""}${slow}, after ${plural(expected.samples, "build")} here`;
}
