"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState, type SubmitEvent } from "react";
import { Button } from "@/components/ui/button";
import { InlineCommand } from "@/components/ui/command-line";
import { Dialog } from "@/components/ui/dialog";
import { Kbd } from "@/components/ui/kbd";
import { Notice } from "@/components/ui/notice";
import { navigate } from "@/hooks/use-route";
import { api } from "@/lib/api/client";
import { asProblem, type ApiProblem } from "@/lib/api/problem";
import { queries, rememberCluster } from "@/lib/api/queries";
import { uniqueKey } from "@/lib/browser/unique-key";
import { friendlyName, nameProblem } from "@/lib/text/friendly-name";
import { commandOf, emptyDraft, requestOf, type Draft } from "./create-draft";
import { CreateFields } from "./create-fields";

/** Asks for a cluster, over the page one is on. */
export function CreateSheet({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const templates = useQuery(queries.templates());
  const server = useQuery(queries.server()).data;
  const capacity = useQuery(queries.capacity()).data;
  const [draft, setDraft] = useState<Draft>(() => emptyDraft(friendlyName(Math.random)));
  const [key, setKey] = useState(uniqueKey);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiProblem | null>(null);

  const form = useRef<HTMLFormElement>(null);

  // What was refused may be out of sight, or folded away.
  useEffect(() => {
    const field = problem ? form.current?.querySelector<HTMLElement>("[aria-invalid=true]") : null;
    if (!field) return;
    const folded = field.closest("details");
    if (folded) folded.open = true;
    field.focus({ preventScroll: true });
    field.scrollIntoView({ block: "center" });
  }, [problem]);

  const items = templates.data?.items ?? [];
  const template = items.find((item) => item.name === draft.template) ?? items.find((item) => item.is_default) ?? items[0];
  const change = (changes: Partial<Draft>) => {
    setDraft((old) => ({ ...old, ...changes }));
    setProblem(null);
    // Another wish is another request: only a repetition of the same one may be answered with the same cluster.
    setKey(uniqueKey());
  };

  const submit = async (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (busy || !template || nameProblem(draft.name)) return;
    setBusy(true);
    setProblem(null);
    try {
      const cluster = await api.createCluster(requestOf(draft, template), key);
      rememberCluster(client, cluster);
      onClose();
      navigate(`/clusters/${cluster.id}`);
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };

  return (
    <Dialog title="New cluster" shape="sheet" onClose={onClose}>
      <form ref={form} onSubmit={(event) => void submit(event)} className="flex min-h-0 grow flex-col" noValidate>
        <div className="grid min-h-0 grow content-start gap-6 overflow-y-auto px-6 pt-5 pb-6">
          {templates.isError ? (
            <Notice title="The templates could not be read" action={<Button onClick={() => void templates.refetch()}>Try again</Button>}>
              {asProblem(templates.error).words}
            </Notice>
          ) : null}
          {template ? (
            <CreateFields
              draft={draft}
              templates={items}
              template={template}
              pool={capacity?.pool ?? {}}
              maxTtlSeconds={server?.max_ttl_seconds ?? null}
              simulated={server?.driver === "simulated"}
              problem={problem}
              onChange={change}
            />
          ) : templates.isPending ? (
            <div className="grid gap-3" aria-busy="true">
              <div className="skeleton h-16" />
              <div className="skeleton h-16" />
              <div className="skeleton h-9" />
            </div>
          ) : null}
          {problem && !problem.body.errors?.length && problem.code !== "name_taken" ? (
            <Notice title={problem.title}>
              {problem.words}
            </Notice>
          ) : null}
        </div>
        <div className="border-t border-line bg-surface px-6 py-4">
          {template ? (
            <p className="no-scrollbar mb-3 overflow-x-auto whitespace-nowrap text-sm text-faint">
              <InlineCommand command={commandOf(draft, template)} />
            </p>
          ) : null}
          <div className="flex items-center justify-end gap-2">
            <Button look="ghost" onClick={onClose}>
              Not now
            </Button>
            <Button type="submit" look="primary" disabled={busy || !template || nameProblem(draft.name) !== null}>
              {busy ? "Asking for it" : "Create cluster"}
              <Kbd className="border-on-inverse/35! text-on-inverse! max-sm:hidden">↵</Kbd>
            </Button>
          </div>
        </div>
      </form>
    </Dialog>
  );
}
