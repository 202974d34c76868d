"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { Button } from "@/components/ui/button";
import { Choice } from "@/components/ui/choice";
import { Field } from "@/components/ui/field";
import { Notice } from "@/components/ui/notice";
import { api, type AppKind, type Cluster } from "@/lib/api/client";
import { asProblem, type ApiProblem } from "@/lib/api/problem";
import { keys } from "@/lib/api/queries";

const KINDS: { value: AppKind; label: string }[] = [
  { value: "service", label: "Service" },
  { value: "pod", label: "Pod" },
];
const FIELDS = ["target", "namespace", "port"];

export function PublishForm({ cluster }: { cluster: Cluster }) {
  const client = useQueryClient();
  const [kind, setKind] = useState<AppKind>("service");
  const [namespace, setNamespace] = useState("default");
  const [target, setTarget] = useState("");
  const [port, setPort] = useState("");
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const [busy, setBusy] = useState(false);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await api.publishApp(cluster.id, { kind, namespace: namespace.trim(), target: target.trim(), port: Number(port) });
      setTarget("");
      setPort("");
      await client.invalidateQueries({ queryKey: keys.apps(cluster.id) });
    } catch (error) {
      setProblem(asProblem(error));
    }
    setBusy(false);
  };

  return (
    <form aria-label="Publish an app" onSubmit={(event) => void submit(event)} className="grid w-full gap-4 rounded-lg border border-line bg-surface p-4" noValidate>
      <Choice legend="What" value={kind} options={KINDS} onChange={setKind} />
      <div className="grid gap-3 sm:grid-cols-[minmax(0,1fr)_minmax(0,1fr)_6rem]">
        <Field label="Namespace" value={namespace} onChange={(event) => setNamespace(event.target.value)} error={problem?.fieldError("namespace")} />
        <Field label="Name" placeholder={kind === "service" ? "web" : "web-0"} value={target} onChange={(event) => setTarget(event.target.value)} error={problem?.fieldError("target")} />
        <Field label="Port" placeholder="80" inputMode="numeric" value={port} onChange={(event) => setPort(event.target.value)} error={problem?.fieldError("port")} />
      </div>
      {problem && !FIELDS.some((field) => problem.fieldError(field)) ? <Notice title={problem.title}>{problem.words}</Notice> : null}
      <div>
        <Button type="submit" disabled={busy || target.trim() === "" || !/^\d+$/.test(port.trim()) || namespace.trim() === ""}>
          Publish
        </Button>
      </div>
    </form>
  );
}
