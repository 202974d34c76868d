"use client";

import { Button } from "@/components/ui/button";
import { SpinnerIcon } from "@/components/ui/icons";
import { useNow } from "@/hooks/use-now";
import { endingInWords, type LinkState } from "@/lib/terminal/link-state";
import { sentence } from "@/lib/text/sentence";

interface TerminalStatusProps {
  state: LinkState;
  onRetry: () => void;
  onAgain: () => void;
  onClose: () => void;
}

/** Says in words why nothing can be typed, and what to do. Nothing while all is well. */
export function TerminalStatus({ state, onRetry, onAgain, onClose }: TerminalStatusProps) {
  const { phase } = state;
  const now = useNow(phase.status === "waiting" ? 250 : null);
  if (phase.status === "live") return <p role="status" className="sr-only">The terminal is connected.</p>;
  const isOver = phase.status === "ended" || phase.status === "refused";
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line bg-warn-soft px-3 py-1.5 text-sm">
      {isOver ? null : <SpinnerIcon className="text-muted" />}
      {/* Said once: a countdown read aloud every second would be in the way. */}
      <span role="status" className="grow">
        <Words state={state} />
        {phase.status === "waiting" ? <span aria-hidden="true"> {countdown(phase.retryAt - now)}</span> : null}
      </span>
      {phase.status === "waiting" ? (
        <Button size="sm" look="ghost" onClick={onRetry}>
          Try now
        </Button>
      ) : null}
      {isOver ? (
        <>
          <Button size="sm" onClick={onAgain}>
            Start again
          </Button>
          <Button size="sm" look="ghost" onClick={onClose}>
            Close
          </Button>
        </>
      ) : null}
    </div>
  );
}

function Words({ state: { phase, session, attempt } }: { state: LinkState }) {
  switch (phase.status) {
    case "connecting":
      return session === null && attempt <= 1 ? "Opening a shell." : "Connecting.";
    case "waiting":
      return session === null ? "The server does not answer." : "The connection is lost; the shell goes on. What you type now is not sent.";
    case "ended":
      return endingInWords(phase);
    case "refused":
      return [phase.title, phase.detail, phase.fix].filter((part) => part !== null).map(sentence).join(" ");
    case "live":
      return null;
  }
}

function countdown(milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  return seconds > 0 ? `Reconnecting in ${seconds} s.` : "Reconnecting now.";
}
