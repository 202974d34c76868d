"use client";

import type { KeyboardEvent } from "react";
import { Button } from "@/components/ui/button";
import { CrossIcon, PlusIcon } from "@/components/ui/icons";
import { classes } from "@/lib/text/classes";
import type { TerminalTabs } from "@/lib/terminal/tabs";

interface TerminalStripProps {
  tabs: TerminalTabs;
  onChoose: (key: string) => void;
  onClose: (key: string) => void;
  onOpen: () => void;
}

/** The open terminals after the ARIA pattern of tabs: arrows choose, Delete closes. */
export function TerminalStrip({ tabs, onChoose, onClose, onOpen }: TerminalStripProps) {
  const press = (event: KeyboardEvent<HTMLElement>, index: number) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const entry = tabs.entries[index];
    if (event.key === "Delete" && entry) onClose(entry.key);
    if (step === undefined) return;
    const count = tabs.entries.length;
    const next = tabs.entries[(index + step + count) % count];
    if (!next) return;
    event.preventDefault();
    onChoose(next.key);
    document.getElementById(`terminal-tab-${next.key}`)?.focus();
  };

  return (
    <div className="flex items-center gap-1 border-b border-line bg-raised/60 px-1.5 py-1">
      <div role="tablist" aria-label="Open terminals" className="no-scrollbar flex min-w-0 gap-1 overflow-x-auto">
        {tabs.entries.map((entry, index) => {
          const isCurrent = entry.key === tabs.current;
          return (
            <div
              key={entry.key}
              role="presentation"
              className={classes("flex h-7 shrink-0 items-center rounded-md pr-0.5", isCurrent ? "bg-surface shadow-[0_0_0_1px_var(--line)]" : "text-muted hover:text-text")}
            >
              <button
                type="button"
                role="tab"
                id={`terminal-tab-${entry.key}`}
                aria-selected={isCurrent}
                aria-controls={`terminal-${entry.key}`}
                tabIndex={isCurrent ? 0 : -1}
                title={entry.pod ?? undefined}
                onClick={() => onChoose(entry.key)}
                onKeyDown={(event) => press(event, index)}
                className="h-7 max-w-40 truncate rounded-md pr-1 pl-2.5 text-sm focus-visible:-outline-offset-2"
              >
                {entry.title}
              </button>
              <button
                type="button"
                tabIndex={-1}
                aria-hidden="true"
                title={`Close ${entry.title}`}
                onClick={() => onClose(entry.key)}
                className="grid size-6 place-items-center rounded-sm text-faint hover:bg-raised hover:text-text"
              >
                <CrossIcon className="size-3.5" />
              </button>
            </div>
          );
        })}
      </div>
      <Button size="sm" look="ghost" className="w-7 px-0!" aria-label="New terminal" title="New terminal" onClick={onOpen}>
        <PlusIcon />
      </Button>
    </div>
  );
}
