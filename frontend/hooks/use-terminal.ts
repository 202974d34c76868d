import { useEffect, useEffectEvent, useRef, useState, type RefObject } from "react";
import { explainTerminal, openTerminal } from "@/lib/api/terminals";
import { onTheme } from "@/lib/browser/theme";
import { TerminalLink } from "@/lib/terminal/link";
import { beginLink, type LinkState } from "@/lib/terminal/link-state";
import { Screen } from "@/lib/terminal/screen";

export interface TerminalWish {
  cluster: string;
  /** A terminal that is there, or null for a new one. */
  session: string | null;
  pod: string | null;
  container: string | null;
}

export interface TerminalHandle {
  state: LinkState;
  screen: Screen | null;
  type: (text: string) => void;
  retryNow: () => void;
}

interface Options {
  host: RefObject<HTMLDivElement | null>;
  wish: TerminalWish;
  readsAloud: boolean;
  takeCtrl: () => boolean;
  onFind: () => void;
  onLeave: () => void;
  onSession: (session: string) => void;
}

/** Runs a terminal in `host` as long as the caller is mounted. */
export function useTerminal({ host, wish, readsAloud, takeCtrl, onFind, onLeave, onSession }: Options): TerminalHandle {
  const [state, setState] = useState(() => beginLink(wish.session));
  const [screen, setScreen] = useState<Screen | null>(null);
  const link = useRef<TerminalLink | null>(null);
  const begin = useEffectEvent((element: HTMLDivElement) => {
    const made = new Screen({
      host: element,
      readsAloud,
      onType: (bytes) => link.current?.type(bytes),
      onSize: () => link.current?.resize(made.size),
      onFind: () => onFind(),
      onLeave: () => onLeave(),
      takeCtrl: () => takeCtrl(),
    });
    const named = { ...(wish.pod !== null && { pod: wish.pod }), ...(wish.container !== null && { container: wish.container }) };
    link.current = new TerminalLink({
      open: (query) => openTerminal(wish.cluster, query),
      wish: named,
      session: wish.session,
      size: () => made.size,
      clock: {
        now: Date.now,
        after: (milliseconds, callback) => {
          const timer = setTimeout(callback, milliseconds);
          return () => clearTimeout(timer);
        },
      },
      random: Math.random,
      explain: () => explainTerminal(wish.cluster),
      onState: (next) => {
        setState(next);
        if (next.phase.status !== "live") return;
        if (next.session !== null) onSession(next.session);
        if (next.lost > 0) made.terminal.write(`\r\n\x1b[2m[${Math.ceil(next.lost / 1024)} KiB were printed meanwhile and are not kept]\x1b[0m\r\n`);
      },
      onBytes: (bytes, shown) => made.terminal.write(bytes, shown),
    });
    link.current.start();
    setScreen(made);
    return made;
  });

  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const made = begin(element);
    const wake = () => {
      if (!document.hidden) link.current?.retryNow();
    };
    const lost = () => link.current?.networkLost();
    const repaint = () => made.repaint();
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const stopTheme = onTheme(repaint);
    scheme.addEventListener("change", repaint);
    window.addEventListener("online", wake);
    window.addEventListener("offline", lost);
    document.addEventListener("visibilitychange", wake);
    return () => {
      stopTheme();
      scheme.removeEventListener("change", repaint);
      window.removeEventListener("online", wake);
      window.removeEventListener("offline", lost);
      document.removeEventListener("visibilitychange", wake);
      link.current?.dispose();
      link.current = null;
      made.dispose();
    };
  }, [host]);

  useEffect(() => {
    screen?.readAloud(readsAloud);
  }, [screen, readsAloud]);

  return {
    state,
    screen,
    type: (text) => link.current?.type(new TextEncoder().encode(text)),
    retryNow: () => link.current?.retryNow(),
  };
}
