"use client";

import { Button } from "@/components/ui/button";
import { useNow } from "@/hooks/use-now";
import { useConnection } from "@/hooks/use-stream";

/** Tells when what is shown is no longer live, and when the next try is. Goes away by itself. */
export function ConnectionBanner() {
  const { connection, retryNow } = useConnection();
  const waiting = connection.status === "waiting";
  const now = useNow(waiting ? 250 : null);
  if (connection.status === "live") return null;
  if (connection.status === "connecting" && connection.attempt <= 1) return null;
  if (connection.status === "stopped" && connection.reason === "signed_out") return null;

  const seconds = waiting ? Math.max(0, Math.ceil((connection.retryAt - now) / 1000)) : 0;
  return (
    <aside aria-label="Connection" className="sticky top-0 z-10 border-b border-line bg-warn-soft">
      {/* Said once: a countdown read aloud every second would be in the way. */}
      <p role="status" className="sr-only">
        The live connection is lost. The page reconnects by itself.
      </p>
      <div className="mx-auto flex max-w-[1280px] flex-wrap items-center gap-x-3 gap-y-1 px-4 py-1.5 text-sm sm:px-6 lg:px-11">
        {connection.status === "stopped" ? (
          <span className="grow">The server refuses live updates to this page. Load it again to get the newest version.</span>
        ) : (
          <span className="grow">
            <span className="font-medium">
              {seconds > 0 ? `Reconnecting in ${seconds} s` : "Reconnecting now"}, attempt {connection.attempt}.
            </span>{" "}
            <span className="text-muted">Nothing is lost: you will catch up.</span>
          </span>
        )}
        {waiting ? (
          <Button size="sm" look="ghost" onClick={retryNow}>
            Try now
          </Button>
        ) : null}
      </div>
    </aside>
  );
}
