"use client";

import { Button } from "@/components/ui/button";

/** A fault of the page itself, not of the server. */
export default function PageError({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  return (
    <main className="mx-auto max-w-[480px] px-4 py-24">
      <h1 className="text-xl font-semibold">This view has a fault</h1>
      <p className="mt-2 text-muted">
        The page could not draw this view. Your clusters are not touched; draw it again, and if it stays, report this line:
      </p>
      <pre className="mt-4 overflow-x-auto rounded-lg border border-line bg-surface p-3 font-mono text-xs">{error.message}</pre>
      <Button className="mt-4" onClick={reset}>
        Draw it again
      </Button>
    </main>
  );
}
