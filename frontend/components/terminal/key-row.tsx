"use client";

import { classes } from "@/lib/text/classes";

const KEYS: { label: string; name: string; keys: string }[] = [
  { label: "Esc", name: "Escape", keys: "\u001b" },
  { label: "Tab", name: "Tab", keys: "\t" },
  { label: "↑", name: "Arrow up", keys: "\u001b[A" },
  { label: "↓", name: "Arrow down", keys: "\u001b[B" },
  { label: "←", name: "Arrow left", keys: "\u001b[D" },
  { label: "→", name: "Arrow right", keys: "\u001b[C" },
];

const LOOK = "h-9 min-w-10 shrink-0 rounded-md border border-line-strong px-2 text-sm active:bg-raised";

/** Keys that a touch keyboard does not have. Ctrl holds for the next key. */
export function KeyRow({ isCtrl, onCtrl, onKey }: { isCtrl: boolean; onCtrl: () => void; onKey: (keys: string) => void }) {
  return (
    <div role="toolbar" aria-label="Keys" className="no-scrollbar flex gap-1.5 overflow-x-auto border-t border-line px-2 py-1.5 sm:hidden pointer-coarse:flex!">
      <button type="button" aria-pressed={isCtrl} onClick={onCtrl} className={classes(LOOK, isCtrl ? "border-accent bg-accent-soft text-accent" : "bg-surface")}>
        Ctrl
      </button>
      {KEYS.map(({ label, name, keys }) => (
        <button key={name} type="button" aria-label={name} onClick={() => onKey(keys)} className={classes(LOOK, "bg-surface")}>
          {label}
        </button>
      ))}
    </div>
  );
}
