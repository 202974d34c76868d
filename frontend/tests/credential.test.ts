import { describe, expect, it } from "vitest";
import type { Credential } from "@/lib/api/client";
import { lastUse, madeFor, secondsUntilEnd } from "@/lib/text/credential";

const NOW = Date.parse("2026-01-02T03:04:05Z");

function credential(changes: Partial<Credential>): Credential {
  return {
    id: "01900000-0000-7000-8000-000000000001",
    endpoint: "proxy",
    name: "kubectl",
    created_at: "2026-01-02T00:00:00Z",
    expires_at: "2026-01-03T00:00:00Z",
    last_used_at: null,
    ...changes,
  };
}

describe("lastUse", () => {
  it.each([
    [null, "never used"],
    ["2026-01-02T03:04:00Z", "used just now"],
    ["2026-01-02T03:02:00Z", "used 2 min ago"],
    // The server's clock may be ahead of this one.
    ["2026-01-02T03:05:00Z", "used just now"],
  ])("of a token is what the server noted: %s", (last_used_at, words) => {
    expect(lastUse(credential({ last_used_at }), NOW)).toBe(words);
  });

  it("of a certificate is nobody's knowledge", () => {
    expect(lastUse(credential({ endpoint: "direct" }), NOW)).toBe("last use not known");
  });
});

describe("madeFor", () => {
  it.each([
    ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessC", "Chrome on Linux"],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) C", "Chrome on Windows"],
    ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on macOS"],
    ["Mozilla/5.0 (something else)", "A browser"],
    ["curl/8.5.0", "curl/8.5.0"],
  ])("%s", (name, words) => {
    expect(madeFor(name)).toBe(words);
  });
});

it("a credential ends with its cluster at the latest", () => {
  const subject = credential({ expires_at: "2026-01-02T04:04:05Z" });
  expect(secondsUntilEnd(subject, null, NOW)).toBe(3600);
  expect(secondsUntilEnd(subject, "2026-01-02T03:14:05Z", NOW)).toBe(600);
});
