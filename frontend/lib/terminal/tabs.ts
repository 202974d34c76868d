import type { Terminal } from "./protocol";

/** One terminal as the page shows it. */
export interface TerminalEntry {
  key: string;
  /** Null until the server has opened it. */
  session: string | null;
  title: string;
  pod: string | null;
  container: string | null;
}

export interface TerminalTabs {
  entries: readonly TerminalEntry[];
  current: string | null;
  /** How many were opened here: it makes their keys and titles. */
  opened: number;
}

export interface PodWish {
  pod: string;
  container: string | null;
}

export type TabsAction =
  | { type: "open"; wish?: PodWish | undefined }
  | { type: "choose"; key: string }
  | { type: "named"; key: string; session: string }
  | { type: "close"; key: string }
  /** Takes the place of one that has ended. */
  | { type: "again"; key: string };

/** The terminals that are open, and one more: what was asked for, or the first. */
export function beginTabs({ listed, wish }: { listed: readonly Terminal[]; wish: PodWish | null }): TerminalTabs {
  const entries = listed.map(({ id, title, pod, container }, index) => ({
    key: id,
    session: id,
    title: pod === null ? shellTitle(index + 1) : title,
    pod,
    container,
  }));
  const begun: TerminalTabs = { entries, current: entries.at(-1)?.key ?? null, opened: entries.length };
  return wish !== null || entries.length === 0 ? reduceTabs(begun, { type: "open", wish: wish ?? undefined }) : begun;
}

export function reduceTabs(tabs: TerminalTabs, action: TabsAction): TerminalTabs {
  switch (action.type) {
    case "open": {
      const opened = tabs.opened + 1;
      const entry = newEntry(opened, action.wish);
      return { entries: [...tabs.entries, entry], current: entry.key, opened };
    }
    case "choose":
      return { ...tabs, current: action.key };
    case "named":
      return { ...tabs, entries: tabs.entries.map((entry) => (entry.key === action.key ? { ...entry, session: action.session } : entry)) };
    case "close": {
      const index = tabs.entries.findIndex(({ key }) => key === action.key);
      const entries = tabs.entries.filter(({ key }) => key !== action.key);
      const neighbour = entries[Math.min(index, entries.length - 1)]?.key ?? null;
      return { ...tabs, entries, current: tabs.current === action.key ? neighbour : tabs.current };
    }
    case "again": {
      const opened = tabs.opened + 1;
      const entries = tabs.entries.map((entry) => (entry.key === action.key ? { ...entry, key: `new-${opened}`, session: null } : entry));
      return { entries, current: tabs.current === action.key ? `new-${opened}` : tabs.current, opened };
    }
  }
}

function newEntry(number: number, wish: PodWish | undefined): TerminalEntry {
  const title = wish === undefined ? shellTitle(number) : (wish.pod.split("/")[1] ?? wish.pod);
  return { key: `new-${number}`, session: null, title, pod: wish?.pod ?? null, container: wish?.container ?? null };
}

function shellTitle(number: number): string {
  return `Shell ${number}`;
}
