"use client";

import { useState } from "react";
import { Button } from "@/components/ui/button";
import { InlineCommand } from "@/components/ui/command-line";
import { Dialog } from "@/components/ui/dialog";
import { Notice } from "@/components/ui/notice";
import { useSignOut } from "@/hooks/use-sign-out";
import { api } from "@/lib/api/client";
import { asProblem } from "@/lib/api/problem";

/** For a lost laptop or a leaked file: ends everything that acts under this name. */
export function SignOutEverywhere() {
  const [isAsking, setIsAsking] = useState(false);
  return (
    <>
      <Button look="danger" onClick={() => setIsAsking(true)}>
        Sign out everywhere
      </Button>
      {isAsking ? <SecondStep onClose={() => setIsAsking(false)} /> : null}
    </>
  );
}

function SecondStep({ onClose }: { onClose: () => void }) {
  const leave = useSignOut();
  const [words, setWords] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const act = async () => {
    setBusy(true);
    try {
      await api.logoutEverywhere();
      await leave();
    } catch (error) {
      setWords(asProblem(error).words);
      setBusy(false);
    }
  };
  return (
    <Dialog title="Sign out everywhere?" onClose={onClose}>
      <div className="grid gap-4 px-6 pt-2 pb-5">
        <p className="text-muted">These end at once, on every machine, this browser included:</p>
        <ul className="grid list-disc gap-1 pl-5 text-muted">
          <li>every session and every token of yours</li>
          <li>every kubeconfig, with the watches, shells and port-forwards that are open under it</li>
        </ul>
        <p className="text-muted">Your clusters go on. Sign in again to reach them.</p>
        <p className="text-sm text-faint">
          From a shell <InlineCommand command="pyk8s logout --everywhere" />
        </p>
        {words ? <Notice title="You are still signed in">{words}</Notice> : null}
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={onClose} data-autofocus>
            Stay signed in
          </Button>
          <Button look="danger-solid" disabled={busy} onClick={() => void act()}>
            Sign out everywhere
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
