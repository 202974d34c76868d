"use client";

import { useEffect, useRef, useState } from "react";
import { LogSearch } from "@/components/log/log-search";
import { Button } from "@/components/ui/button";
import { useTerminal } from "@/hooks/use-terminal";
import type { Cluster } from "@/lib/api/client";
import type { TerminalEntry } from "@/lib/terminal/tabs";
import { classes } from "@/lib/text/classes";
import { KeyRow } from "./key-row";
import { TerminalStatus } from "./terminal-status";

interface TerminalPaneProps {
  cluster: Cluster;
  entry: TerminalEntry;
  isShown: boolean;
  onSession: (session: string) => void;
  onAgain: () => void;
  onClose: () => void;
}

const NO_MATCH = { resultIndex: -1, resultCount: 0 };
const FOUND = { decorations: { matchOverviewRuler: "#e5b455", activeMatchColorOverviewRuler: "#1f55d0", activeMatchBackground: "#e5b455" } };

/** One terminal with its state in words, its search and the keys that a telephone lacks. */
export function TerminalPane({ cluster, entry, isShown, onSession, onAgain, onClose }: TerminalPaneProps) {
  const host = useRef<HTMLDivElement>(null);
  const leave = useRef<HTMLButtonElement>(null);
  const ctrl = useRef(false);
  const [isCtrl, setCtrl] = useState(false);
  const [query, setQuery] = useState<string | null>(null);
  const [matches, setMatches] = useState(NO_MATCH);
  const [readsAloud, setReadsAloud] = useState(false);
  const { state, screen, type, retryNow } = useTerminal({
    host,
    wish: { cluster: cluster.id, session: entry.session, pod: entry.pod, container: entry.container },
    readsAloud,
    takeCtrl: () => {
      const was = ctrl.current;
      ctrl.current = false;
      if (was) setCtrl(false);
      return was;
    },
    onFind: () => setQuery((old) => old ?? ""),
    onLeave: () => leave.current?.focus(),
    onSession,
  });

  useEffect(() => {
    if (isShown) screen?.terminal.focus();
  }, [isShown, screen]);

  useEffect(() => {
    const watching = screen?.search.onDidChangeResults(setMatches);
    return () => watching?.dispose();
  }, [screen]);

  const find = (text: string, step: 1 | -1 = 1) => {
    setQuery(text);
    if (step === 1) screen?.search.findNext(text, FOUND);
    else screen?.search.findPrevious(text, FOUND);
  };
  const stopSearching = () => {
    setQuery(null);
    setMatches(NO_MATCH);
    screen?.search.clearDecorations();
    screen?.terminal.focus();
  };
  const pressCtrl = () => {
    ctrl.current = !ctrl.current;
    setCtrl(ctrl.current);
    screen?.terminal.focus();
  };

  return (
    <div role="tabpanel" id={`terminal-${entry.key}`} aria-labelledby={`terminal-tab-${entry.key}`} hidden={!isShown}>
      {query === null ? null : (
        <div className="flex border-b border-line px-2 py-1">
          <LogSearch
            label="Search the terminal"
            query={query}
            count={matches.resultCount}
            current={matches.resultIndex}
            onQuery={find}
            onGo={(step) => find(query, step)}
            onClose={stopSearching}
          />
        </div>
      )}
      <TerminalStatus state={state} onRetry={retryNow} onAgain={onAgain} onClose={onClose} />
      <div className={classes("p-2 pr-0.5", state.phase.status === "live" ? "" : "opacity-70")}>
        <div ref={host} className="h-[clamp(300px,calc(100dvh-360px),760px)] max-sm:h-[max(220px,38dvh)] overflow-hidden" />
      </div>
      <KeyRow isCtrl={isCtrl} onCtrl={pressCtrl} onKey={(keys) => {
        type(keys);
        screen?.terminal.focus();
      }} />
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1 border-t border-line px-3 py-1.5 text-sm text-muted">
        <button ref={leave} type="button" className="rounded-sm underline-offset-2 hover:text-text hover:underline" onClick={() => setQuery("")}>
          Search
        </button>
        <button type="button" className="rounded-sm underline-offset-2 hover:text-text hover:underline" onClick={() => void screen?.copySelection()}>
          Copy selection
        </button>
        <label className="inline-flex items-center gap-1.5">
          <input type="checkbox" checked={readsAloud} onChange={(event) => setReadsAloud(event.target.checked)} />
          For screen readers
        </label>
        <Button size="sm" look="ghost" className="h-6" onClick={onClose}>
          Close this terminal
        </Button>
        <p className="ml-auto text-faint max-md:hidden">Ctrl+Shift with C copies, V pastes, F searches, L leaves the terminal</p>
      </div>
    </div>
  );
}
