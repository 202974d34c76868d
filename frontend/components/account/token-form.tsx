"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { Button } from "@/components/ui/button";
import { Choice } from "@/components/ui/choice";
import { CopyButton } from "@/components/ui/copy-button";
import { Field } from "@/components/ui/field";
import { Notice } from "@/components/ui/notice";
import { api, type CreatedToken, type Scope } from "@/lib/api/client";
import { asProblem, type ApiProblem } from "@/lib/api/problem";
import { keys } from "@/lib/api/queries";

const DAY_SECONDS = 86_400;
const LIFETIMES = [
  { value: 7 * DAY_SECONDS, label: "7 days" },
  { value: 30 * DAY_SECONDS, label: "30 days" },
  { value: 365 * DAY_SECONDS, label: "1 year" },
  { value: 0, label: "No end" },
];

const MEANINGS: Record<Scope, string> = {
  "clusters:read": "see clusters and their logs",
  "clusters:write": "create and delete clusters",
  access: "fetch kubeconfigs",
  admin: "administer the server",
};

const ORDER = Object.keys(MEANINGS) as Scope[];

export function TokenForm({ scopes: allowed }: { scopes: Scope[] }) {
  const scopes = ORDER.filter((scope) => allowed.includes(scope));
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<Scope[]>(() => scopes.filter((scope) => scope !== "admin"));
  const [lifetime, setLifetime] = useState(30 * DAY_SECONDS);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const [created, setCreated] = useState<CreatedToken | null>(null);
  const [busy, setBusy] = useState(false);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      setCreated(await api.createToken({ name: name.trim(), scopes: chosen, expires_in_seconds: lifetime === 0 ? null : lifetime }));
      setName("");
      await client.invalidateQueries({ queryKey: keys.tokens });
    } catch (error) {
      setProblem(asProblem(error));
    }
    setBusy(false);
  };

  return (
    <div className="grid w-full gap-4">
      {created ? <NewToken token={created} onDone={() => setCreated(null)} /> : null}
      <form onSubmit={(event) => void submit(event)} className="grid gap-4 rounded-lg border border-line bg-surface p-4" noValidate>
        <Field label="Name" placeholder="ci, my laptop" maxLength={64} value={name} onChange={(event) => setName(event.target.value)} error={problem?.fieldError("name")} />
        <fieldset>
          <legend className="mb-1.5 text-sm font-medium">May</legend>
          <div className="grid gap-1.5">
            {scopes.map((scope) => (
              <label key={scope} className="flex items-center gap-2.5">
                <input
                  type="checkbox"
                  className="size-4 accent-accent"
                  checked={chosen.includes(scope)}
                  onChange={(event) => setChosen(event.target.checked ? [...chosen, scope] : chosen.filter((other) => other !== scope))}
                />
                {MEANINGS[scope]}
                <code className="font-mono text-sm text-faint max-sm:hidden">{scope}</code>
              </label>
            ))}
          </div>
        </fieldset>
        <Choice legend="Valid for" value={lifetime} options={LIFETIMES} onChange={setLifetime} />
        {problem && !problem.fieldError("name") ? (
          <Notice title={problem.title}>
            {problem.words}
          </Notice>
        ) : null}
        <div>
          <Button type="submit" disabled={busy || name.trim() === "" || chosen.length === 0}>
            Create token
          </Button>
        </div>
      </form>
    </div>
  );
}

function NewToken({ token, onDone }: { token: CreatedToken; onDone: () => void }) {
  return (
    <section aria-label="New token" className="rounded-lg border border-line-strong bg-accent-soft p-4">
      <p role="status" className="font-medium">
        {token.name} is made. Copy it now: it is not shown again.
      </p>
      <div className="mt-3 flex items-center gap-2 rounded-lg border border-line bg-surface py-1 pr-1 pl-3">
        <code data-token className="min-w-0 grow font-mono text-sm">
          {token.token}
        </code>
        <CopyButton what="the token" label="Copy" look="secondary" text={token.token} />
      </div>
      <Button size="sm" look="ghost" className="mt-2 -ml-2.5" onClick={onDone}>
        I have it
      </Button>
    </section>
  );
}
