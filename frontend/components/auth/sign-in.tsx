"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { LogoIcon } from "@/components/ui/icons";
import { Notice } from "@/components/ui/notice";
import { SimulatedBar } from "@/components/shell/simulated-bar";
import { Starting } from "@/components/shell/starting";
import { api } from "@/lib/api/client";
import { asProblem, type ApiProblem } from "@/lib/api/problem";
import { keys, queries } from "@/lib/api/queries";

type Mode = "login" | "register";

interface SignInProps {
  /** Why nobody is signed in: normally just 401. */
  problem: ApiProblem;
  retry: () => void;
}

export function SignIn({ problem, retry }: SignInProps) {
  const { data: server, isPending } = useQuery(queries.server());
  const [chosen, setChosen] = useState<Mode | null>(null);
  const needsCode = server?.setup_code_required ?? false;
  const isFirst = needsCode || (server?.is_empty ?? false);
  const open = server?.signup === "open" || isFirst;
  const mode = chosen ?? (isFirst ? "register" : "login");
  // The form must not change under the fingers of the first person here.
  if (isPending) return <Starting />;

  return (
    <>
      <SimulatedBar />
      <main className="mx-auto flex min-h-[80dvh] w-full max-w-[360px] flex-col justify-center px-4 py-12">
        <LogoIcon className="size-8" />
        <h1 className="mt-5 text-xl font-semibold">{mode === "login" ? "Sign in to PyK8s Lab" : "Create your account"}</h1>
        <p className="mt-1 text-muted">
          {isFirst && mode === "register"
            ? "Nobody is here yet: the first account becomes the admin of this server."
            : "Your own Kubernetes cluster, in seconds, for as long as you need it."}
        </p>
        {problem.status === 401 ? (
          <CredentialsForm key={mode} mode={mode} needsCode={needsCode && mode === "register"} />
        ) : (
          <div className="mt-6">
            <Notice title={problem.title} action={<Button onClick={retry}>Try again</Button>}>
              {problem.words}
            </Notice>
          </div>
        )}
        {open ? (
          <p className="mt-5 text-sm text-muted">
            {mode === "login" ? "New here? " : "Already have an account? "}
            <button
              type="button"
              className="rounded-sm text-accent underline underline-offset-2"
              onClick={() => setChosen(mode === "login" ? "register" : "login")}
            >
              {mode === "login" ? "Create an account" : "Sign in"}
            </button>
          </p>
        ) : null}
        {server?.trust ? <p className="mt-8 border-t border-line pt-4 text-sm text-faint">{server.trust}</p> : null}
      </main>
    </>
  );
}

function CredentialsForm({ mode, needsCode }: { mode: Mode; needsCode: boolean }) {
  const client = useQueryClient();
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const [busy, setBusy] = useState(false);

  const submit = async (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => {
      const value = form.get(name);
      return typeof value === "string" ? value : "";
    };
    setBusy(true);
    setProblem(null);
    try {
      const credentials = { username: text("username").trim().toLowerCase(), password: text("password") };
      if (mode === "login") await api.login(credentials);
      else await api.register({ ...credentials, setup_code: needsCode ? text("setup_code") : null });
      await Promise.all([client.invalidateQueries({ queryKey: keys.me }), client.invalidateQueries({ queryKey: keys.server })]);
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };
  const inFields = ["username", "password", ...(needsCode ? ["setup_code"] : [])].some((field) => problem?.fieldError(field));

  return (
    <form onSubmit={(event) => void submit(event)} className="mt-6 grid gap-4" noValidate>
      <Field
        label="Username"
        name="username"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
        // The one thing to do on this page.
        // eslint-disable-next-line jsx-a11y/no-autofocus -- see above
        autoFocus
        error={problem?.fieldError("username")}
      />
      <Field
        label="Password"
        name="password"
        type="password"
        autoComplete={mode === "login" ? "current-password" : "new-password"}
        required
        error={problem?.fieldError("password")}
        hint={mode === "register" ? "At least 8 characters." : undefined}
      />
      {needsCode ? (
        <Field
          label="Setup code"
          name="setup_code"
          autoComplete="off"
          autoCapitalize="characters"
          spellCheck={false}
          required
          error={problem?.fieldError("setup_code")}
          hint="Only whoever runs this server knows it: its start and its log show it."
        />
      ) : null}
      {problem && !inFields ? (
        <p role="alert" className="text-sm text-bad">
          {problem.words}
        </p>
      ) : null}
      <Button type="submit" look="primary" disabled={busy}>
        {busy ? "One moment" : mode === "login" ? "Sign in" : "Create account"}
      </Button>
    </form>
  );
}
