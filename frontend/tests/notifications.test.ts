import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { askPermission, notify, readPermission } from "@/lib/browser/notifications";

const shown: { title: string; onclick: (() => void) | null; close: () => void }[] = [];

class FakeNotification {
  static permission = "default";
  static requestPermission = vi.fn(() => Promise.resolve("granted"));
  onclick: (() => void) | null = null;
  close = vi.fn();
  constructor(readonly title: string) {
    shown.push(this);
  }
}

const focus = vi.fn();
const message = { title: "demo ends in 9 min", body: "", tag: "t", onOpen: vi.fn() };

beforeEach(() => {
  shown.length = 0;
  FakeNotification.permission = "default";
  FakeNotification.requestPermission.mockClear();
  vi.stubGlobal("Notification", FakeNotification);
  focus.mockClear();
  vi.stubGlobal("window", { isSecureContext: true, dispatchEvent: vi.fn(), focus });
});
afterEach(() => vi.unstubAllGlobals());

describe("notifications", () => {
  it("are silent, and ask nothing, before they were allowed", () => {
    notify(message);
    expect(shown).toEqual([]);
    expect(FakeNotification.requestPermission).not.toHaveBeenCalled();
  });

  it("bring back to the cluster once they were", () => {
    FakeNotification.permission = "granted";
    notify(message);
    expect(shown).toHaveLength(1);
    shown[0]?.onclick?.();
    expect(message.onOpen).toHaveBeenCalledOnce();
    expect(focus).toHaveBeenCalledOnce();
  });

  it("ask once, and not again after an answer", async () => {
    await askPermission();
    expect(FakeNotification.requestPermission).toHaveBeenCalledOnce();
    FakeNotification.permission = "denied";
    await askPermission();
    expect(FakeNotification.requestPermission).toHaveBeenCalledOnce();
  });

  it("are not there without a secure context", () => {
    vi.stubGlobal("window", { isSecureContext: false });
    expect(readPermission()).toBe("unsupported");
  });

  it("survive a browser that allows them and cannot", () => {
    vi.stubGlobal("Notification", Object.assign(() => undefined, { permission: "granted" }));
    expect(() => notify(message)).not.toThrow();
  });
});
