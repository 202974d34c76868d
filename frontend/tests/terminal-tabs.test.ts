import { describe, expect, it } from "vitest";
import { beginTabs, reduceTabs } from "@/lib/terminal/tabs";
import type { Terminal } from "@/lib/terminal/protocol";

const listed = (id: string, pod: string | null = null): Terminal => ({
  id,
  title: pod?.split("/")[1] ?? "demo",
  pod,
  container: null,
  created_at: "2026-01-01T00:00:00Z",
  last_input_at: null,
  attached: 0,
});

describe("the terminals of a page", () => {
  it("opens the first one by itself, and finds those that are open again", () => {
    expect(beginTabs({ listed: [], wish: null }).entries).toMatchObject([{ session: null, title: "Shell 1", pod: null }]);
    const again = beginTabs({ listed: [listed("a"), listed("b", "default/web")], wish: null });
    expect(again.entries).toMatchObject([
      { key: "a", session: "a", title: "Shell 1" },
      { key: "b", session: "b", title: "web", pod: "default/web" },
    ]);
    expect(again.current).toBe("b");
  });

  it("opens a pod's beside them", () => {
    const tabs = beginTabs({ listed: [listed("a")], wish: { pod: "kube-system/dns-1", container: "main" } });
    expect(tabs.entries.at(-1)).toMatchObject({ title: "dns-1", pod: "kube-system/dns-1", container: "main" });
    expect(tabs.current).toBe(tabs.entries.at(-1)?.key);
  });

  it("closes one and looks at its neighbour, to the last", () => {
    let tabs = beginTabs({ listed: [listed("a"), listed("b"), listed("c")], wish: null });
    tabs = reduceTabs(tabs, { type: "close", key: "c" });
    expect(tabs.current).toBe("b");
    tabs = reduceTabs(tabs, { type: "choose", key: "a" });
    tabs = reduceTabs(tabs, { type: "close", key: "b" });
    expect(tabs.current).toBe("a");
    expect(reduceTabs(tabs, { type: "close", key: "a" })).toMatchObject({ entries: [], current: null });
  });

  it("puts a new one in the place of one that has ended", () => {
    let tabs = beginTabs({ listed: [listed("a"), listed("b", "default/web")], wish: null });
    tabs = reduceTabs(tabs, { type: "again", key: "b" });
    expect(tabs.entries[1]).toMatchObject({ session: null, pod: "default/web" });
    expect(tabs.current).toBe(tabs.entries[1]?.key);
    tabs = reduceTabs(tabs, { type: "named", key: tabs.current ?? "", session: "z" });
    expect(tabs.entries.map(({ session }) => session)).toEqual(["a", "z"]);
  });
});
