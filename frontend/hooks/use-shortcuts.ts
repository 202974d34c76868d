import { useEffect, useEffectEvent } from "react";

const SEQUENCE_MS = 1000;

/** Key names to actions: "n", "/", "?", "g d" (one after the other), "mod+k". Quiet while somebody types or a dialog is open. */
export function useShortcuts(shortcuts: Record<string, () => void>): void {
  const run = useEffectEvent((name: string): boolean => {
    const action = shortcuts[name];
    action?.();
    return action !== undefined;
  });

  useEffect(() => {
    let first: { key: string; at: number } | null = null;
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return;
      if ((event.metaKey || event.ctrlKey) && !event.altKey) {
        if (run(`mod+${event.key.toLowerCase()}`)) event.preventDefault();
        return;
      }
      if (event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
      const before = first !== null && event.timeStamp - first.at < SEQUENCE_MS ? `${first.key} ` : "";
      first = { key: event.key, at: event.timeStamp };
      if (run(before + event.key) || run(event.key)) {
        event.preventDefault();
        first = null;
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
}
