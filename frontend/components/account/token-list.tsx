"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Notice } from "@/components/ui/notice";
import { api, type Token } from "@/lib/api/client";
import { asProblem } from "@/lib/api/problem";
import { keys, queries } from "@/lib/api/queries";
import { when } from "@/lib/text/time";

export function TokenList() {
  const tokens = useQuery(queries.tokens());
  const [revoking, setRevoking] = useState<Token | null>(null);
  if (tokens.isError) {
    return (
      <Notice title="The tokens could not be read" action={<Button onClick={() => void tokens.refetch()}>Try again</Button>}>
        {asProblem(tokens.error).words}
      </Notice>
    );
  }
  if (!tokens.data) return <div className="skeleton h-16 w-full" aria-busy="true" />;
  if (tokens.data.length === 0) return <p className="text-sm text-faint">No tokens yet.</p>;
  return (
    <>
      <ul aria-label="Tokens" className="w-full overflow-hidden rounded-lg border border-line bg-surface">
        {tokens.data.map((token) => (
          <li key={token.id} className="flex flex-wrap items-center gap-x-4 gap-y-1 border-b border-line px-4 py-3 last:border-b-0">
            <span className="min-w-0 grow basis-48">
              <span className="block font-medium">{token.name}</span>
              <span className="block text-sm text-muted">{token.scopes.join(", ")}</span>
              <span className="block text-sm text-faint">
                {token.last_used_at ? `last used ${when(token.last_used_at)}` : "never used"}
                {token.expires_at ? `, valid until ${when(token.expires_at)}` : ", without an end"}
              </span>
            </span>
            <Button size="sm" look="danger" onClick={() => setRevoking(token)} aria-label={`Revoke ${token.name}`}>
              Revoke
            </Button>
          </li>
        ))}
      </ul>
      {revoking ? <RevokeDialog token={revoking} onClose={() => setRevoking(null)} /> : null}
    </>
  );
}

function RevokeDialog({ token, onClose }: { token: Token; onClose: () => void }) {
  const client = useQueryClient();
  const [words, setWords] = useState<string | null>(null);
  const revoke = async () => {
    try {
      await api.revokeToken(token.id);
      await client.invalidateQueries({ queryKey: keys.tokens });
      onClose();
    } catch (error) {
      setWords(asProblem(error).words);
    }
  };
  return (
    <Dialog title={`Revoke ${token.name}?`} onClose={onClose}>
      <div className="grid gap-4 px-6 pt-2 pb-5">
        <p className="text-muted">Whatever uses it is refused from now on. This cannot be undone.</p>
        {words ? <Notice title="It was not revoked">{words}</Notice> : null}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose} data-autofocus>
            Keep it
          </Button>
          <Button look="danger-solid" onClick={() => void revoke()}>
            Revoke token
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
