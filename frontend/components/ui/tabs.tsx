"use client";

import { useEffect, useRef, type KeyboardEvent, type ReactNode } from "react";
import { classes } from "@/lib/text/classes";

interface TabsProps<T extends string> {
  label: string;
  tabs: { value: T; label: string }[];
  value: T;
  onChange: (value: T) => void;
  children: ReactNode;
}

/** Tabs after the ARIA pattern: one stop of the Tab key, arrows move and choose. */
export function Tabs<T extends string>({ label, tabs, value, onChange, children }: TabsProps<T>) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (list.current) showChosen(list.current);
  }, [value]);
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const at = tabs.findIndex((tab) => tab.value === value);
    const index = (at + step + tabs.length) % tabs.length;
    const next = tabs[index];
    if (!next) return;
    event.preventDefault();
    onChange(next.value);
    list.current?.querySelectorAll<HTMLElement>("[role=tab]")[index]?.focus();
  };

  return (
    <>
      <div ref={list} role="tablist" aria-label={label} className="no-scrollbar flex gap-6 overflow-x-auto border-b border-line max-sm:-mx-4 max-sm:px-4">
        {tabs.map((tab) => (
          <button
            key={tab.value}
            type="button"
            role="tab"
            id={`tab-${tab.value}`}
            aria-selected={tab.value === value}
            aria-controls="tab-panel"
            tabIndex={tab.value === value ? 0 : -1}
            onClick={() => onChange(tab.value)}
            onKeyDown={move}
            className={classes(
              "-mb-px shrink-0 border-b-2 pt-1 pb-2.5 transition-[color,border-color] focus-visible:-outline-offset-2",
              tab.value === value ? "border-text font-medium text-text" : "border-transparent text-muted hover:text-text",
            )}
          >
            {tab.label}
          </button>
        ))}
      </div>
      <div role="tabpanel" id="tab-panel" aria-labelledby={`tab-${value}`} className="pt-5">
        {children}
      </div>
    </>
  );
}

/** Scroll the strip, and nothing but it, until the chosen tab is in its middle: on a phone it may be cut off. */
function showChosen(list: HTMLElement) {
  const chosen = list.querySelector("[aria-selected=true]")?.getBoundingClientRect();
  if (!chosen) return;
  const strip = list.getBoundingClientRect();
  list.scrollLeft += chosen.left - strip.left - (strip.width - chosen.width) / 2;
}
