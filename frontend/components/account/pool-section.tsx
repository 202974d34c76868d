"use client";

import { useQuery } from "@tanstack/react-query";
import { Section } from "@/components/clusters/section";
import { Button } from "@/components/ui/button";
import { ClosableNotice } from "@/components/ui/closable-notice";
import { InlineCommand } from "@/components/ui/command-line";
import { Notice } from "@/components/ui/notice";
import { Stepper } from "@/components/ui/stepper";
import { usePool, usePoolSize } from "@/hooks/use-pool";
import type { PoolState } from "@/lib/api/client";
import { asProblem } from "@/lib/api/problem";
import { queries } from "@/lib/api/queries";
import { poolWords } from "@/lib/text/pool";
import { sentence } from "@/lib/text/sentence";

/** As the server has it: it refuses more. */
const MAX_POOL = 20;

const NOTE =
  "Clusters that are built before somebody asks: whoever wants one as the template has it, gets it at once. Each takes the memory of a cluster; those that are paused take no CPU.";

/** For administrators: how many clusters are kept ready. */
export function PoolSection() {
  return (
    <Section title="Pool" note={NOTE}>
      <PoolList />
    </Section>
  );
}

function PoolList() {
  const pool = usePool();
  const templates = useQuery(queries.templates()).data?.items;
  if (pool.isError && !pool.data) {
    return (
      <Notice title="The pool could not be read" action={<Button onClick={() => void pool.refetch()}>Try again</Button>}>
        {asProblem(pool.error).words}
      </Notice>
    );
  }
  if (!pool.data) return <div className="skeleton h-24 w-full" aria-busy="true" />;
  return (
    <>
      <ul aria-label="Pool" className="w-full overflow-hidden rounded-lg border border-line bg-surface">
        {pool.data.map((state) => (
          <PoolRow key={state.template} state={state} title={templates?.find(({ name }) => name === state.template)?.title} />
        ))}
      </ul>
      {pool.isError ? <p className="text-sm text-warn">As it was last: {asProblem(pool.error).words}</p> : null}
      <p className="text-sm text-faint">
        From a shell <InlineCommand command="pyk8s admin pool default=2" />
      </p>
    </>
  );
}

function PoolRow({ state, title }: { state: PoolState; title: string | undefined }) {
  const { wanted, problem, set, forget } = usePoolSize(state.template);
  const size = wanted ?? state.size;
  return (
    <li className="grid gap-3 border-b border-line px-4 py-3 last:border-b-0">
      <div className="flex items-center justify-between gap-x-4">
        <div className="min-w-0">
          <p className="flex flex-wrap items-baseline gap-x-2 font-medium">
            {title}
            <code className={title ? "font-mono text-sm font-normal text-faint" : undefined}>{state.template}</code>
          </p>
          <p className="text-sm text-muted" role="status">
            {poolWords({ ...state, size })}
          </p>
          {/* That one is being built is said already. */}
          {state.waits_for && state.building === 0 ? <p className="text-sm text-faint">{sentence(`The next one waits: ${state.waits_for}`)}</p> : null}
        </div>
        <Stepper label={`Prebuilt ${state.template}`} value={size} min={0} max={MAX_POOL} onChange={set} />
      </div>
      {problem ? <ClosableNotice title={problem.title} words={problem.words} onClose={forget} /> : null}
    </li>
  );
}
