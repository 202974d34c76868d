"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Button } from "@/components/ui/button";
import { InlineCommand } from "@/components/ui/command-line";
import { Dialog } from "@/components/ui/dialog";
import { Notice } from "@/components/ui/notice";
import { useNow } from "@/hooks/use-now";
import { api, type Cluster, type Credential } from "@/lib/api/client";
import { asProblem } from "@/lib/api/problem";
import { keys, queries } from "@/lib/api/queries";
import type { HistoryView } from "@/lib/stream/cluster-history";
import { lastUse, madeFor, secondsUntilEnd } from "@/lib/text/credential";
import { left } from "@/lib/text/time";

const TICK_MS = 15_000;

/** What opens the cluster for this person, kept up to date by the cluster's events. */
export function CredentialList({ cluster, history }: { cluster: Cluster; history: HistoryView }) {
  const client = useQueryClient();
  const credentials = useQuery(queries.credentials(cluster.id));
  const [revoking, setRevoking] = useState<Credential | null>(null);
  const now = useNow(TICK_MS);
  const changes = history.facts.filter(({ type }) => type === "credential_issued" || type === "credential_revoked").length;
  useEffect(() => {
    void client.invalidateQueries({ queryKey: keys.credentials(cluster.id) });
  }, [client, cluster.id, changes]);

  if (credentials.isError) {
    return (
      <Notice title="The list could not be read" action={<Button onClick={() => void credentials.refetch()}>Try again</Button>}>
        {asProblem(credentials.error).words}
      </Notice>
    );
  }
  if (!credentials.data) return <div className="skeleton h-16 w-full" aria-busy="true" />;
  if (credentials.data.length === 0) return <p className="text-sm text-faint">None: nobody gets in under your name.</p>;
  return (
    <>
      <ul aria-label="Credentials" className="w-full overflow-hidden rounded-lg border border-line bg-surface">
        {credentials.data.map((credential) => (
          <li key={credential.id} className="flex items-center gap-4 border-b border-line px-4 py-3 last:border-b-0">
            <span className="min-w-0 grow">
              <span className="block truncate font-medium" title={credential.name}>
                {madeFor(credential.name)}
              </span>
              <span className="block text-sm text-muted">
                {credential.endpoint === "proxy" ? "From anywhere" : "On the server's machine"}, {lastUse(credential, now)}
              </span>
              <span className="block text-sm text-faint">ends in {left(secondsUntilEnd(credential, cluster.expires_at, now))}</span>
            </span>
            <Button size="sm" look="danger" onClick={() => setRevoking(credential)} aria-label={`Revoke that of ${madeFor(credential.name)}`}>
              Revoke
            </Button>
          </li>
        ))}
      </ul>
      {revoking ? <RevokeDialog cluster={cluster} credential={revoking} onClose={() => setRevoking(null)} /> : null}
    </>
  );
}

function RevokeDialog({ cluster, credential, onClose }: { cluster: Cluster; credential: Credential; onClose: () => void }) {
  const client = useQueryClient();
  const [words, setWords] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const revoke = async () => {
    setBusy(true);
    try {
      await api.revokeCredential(cluster.id, credential.id);
      await client.invalidateQueries({ queryKey: keys.credentials(cluster.id) });
      onClose();
    } catch (error) {
      setWords(asProblem(error).words);
      setBusy(false);
    }
  };
  return (
    <Dialog title="Revoke this credential?" onClose={onClose}>
      <div className="grid gap-4 px-6 pt-2 pb-5">
        <p className="font-medium wrap-anywhere">{madeFor(credential.name)}</p>
        <p className="text-muted">
          {credential.endpoint === "proxy"
            ? "The kubeconfig or program that uses it is refused from now on, and its open watches, shells and port-forwards end. This cannot be undone."
            : "The kubeconfig that uses it may do nothing from now on; a watch that is open already goes on until it ends. This cannot be undone."}
        </p>
        <p className="text-sm text-faint">
          From a shell <InlineCommand command={`pyk8s kubeconfig list ${cluster.name}`} />
        </p>
        {words ? <Notice title="It was not revoked">{words}</Notice> : null}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose} data-autofocus>
            Keep it
          </Button>
          <Button look="danger-solid" disabled={busy} onClick={() => void revoke()}>
            Revoke
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
