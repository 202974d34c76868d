import { describe, expect, it } from "vitest";
import { friendlyName, nameProblem, NAME_PATTERN } from "@/lib/text/friendly-name";
import { parseAnsi, stripAnsi } from "@/lib/text/ansi";
import { LineSearch, splitMatches } from "@/lib/text/search";
import { coarse, fine, leaseSeconds, left, secondsBetween, secondsLeft } from "@/lib/text/time";
import { lowerFirst } from "@/lib/text/words";

const ESC = "\u001b";

describe("parseAnsi", () => {
  it("tells the stretches of a line apart", () => {
    expect(parseAnsi(`a ${ESC}[1;32mgood${ESC}[0m b`)).toMatchObject([
      { text: "a ", color: null, bold: false },
      { text: "good", color: 2, bold: true },
      { text: " b", color: null, bold: false },
    ]);
  });

  it("knows the bright colours and the short form of an end", () => {
    expect(parseAnsi(`${ESC}[91mx${ESC}[my`)).toMatchObject([{ color: 9 }, { color: null }]);
  });

  it("takes sixteen of the 256 colours, and swallows the numbers of the others", () => {
    expect(parseAnsi(`${ESC}[38;5;3ma${ESC}[38;5;200mb${ESC}[38;2;1;31;3mc`)).toMatchObject([
      { text: "a", color: 3 },
      { text: "b", color: 3 },
      { text: "c", color: 3 },
    ]);
  });

  it.each([
    ["a title", `${ESC}]0;owned\u0007x`],
    ["a link", `${ESC}]8;;javascript:alert(1)${ESC}\\x${ESC}]8;;${ESC}\\`],
    ["a cleared screen", `${ESC}[2J${ESC}[Hx`],
    ["an answer from the terminal", `${ESC}[6n${ESC}[>cx`],
    ["a device string", `${ESC}P+q544e${ESC}\\x`],
    ["control characters", "\u0000\u0008\u007f\u009bx"],
    ["an escape at the end", `x${ESC}`],
    ["half a sequence", `x${ESC}[38;5`],
  ])("leaves nothing of %s", (_name, line) => {
    expect(parseAnsi(line).map((span) => span.text).join("")).toBe("x");
    expect(stripAnsi(line)).toBe("x");
  });

  it("gives markup back as text", () => {
    expect(stripAnsi("<img src=x onerror=alert(1)>")).toBe("<img src=x onerror=alert(1)>");
  });

  it("is done with a long hostile line at once", () => {
    const line = `${ESC}[${"1;".repeat(8000)}${ESC}]${"a".repeat(16_000)}`;
    const before = performance.now();
    parseAnsi(line);
    expect(performance.now() - before).toBeLessThan(200);
  });
});

describe("LineSearch", () => {
  it("looks at new lines only, and finds them in whatever case and colour", () => {
    const lines = [{ text: `${ESC}[31mErr${ESC}[0mor` }, { text: "fine" }];
    const search = new LineSearch("error");
    expect(search.update(lines, 2)).toEqual([0]);
    lines.push({ text: "ERROR again" });
    expect(search.update(lines, 3)).toEqual([0, 2]);
  });

  it("finds nothing for nothing", () => expect(new LineSearch("").update([{ text: "a" }], 1)).toEqual([]));

  it("splits a text at its matches", () => {
    expect(splitMatches("abcABC", "B")).toEqual([
      { text: "a", match: false },
      { text: "b", match: true },
      { text: "cA", match: false },
      { text: "B", match: true },
      { text: "C", match: false },
    ]);
  });
});

describe("times", () => {
  it.each([
    [0, "0 s"],
    [59.9, "59 s"],
    [60, "1 min"],
    [3599, "59 min"],
    [3600, "1 h"],
    [4320, "1 h 12 min"],
    [90_000, "1 d 1 h"],
  ])("%d s is coarsely %s", (seconds, words) => expect(coarse(seconds)).toBe(words));

  it.each([
    [0.04, "0.0 s"],
    [24.6, "24.6 s"],
    [59.96, "1 min"],
    [125.4, "2 min 5 s"],
  ])("%d s is finely %s", (seconds, words) => expect(fine(seconds)).toBe(words));

  it.each([
    [-5, "now"],
    [0.4, "1 s"],
    [59, "59 s"],
    [61, "2 min"],
    [3600, "1 h"],
  ])("%d s of a lease are %s", (seconds, words) => expect(left(seconds)).toBe(words));

  it("know how long a lease is, and never show more", () => {
    const lease = { expires_at: "2026-01-01T02:00:00Z", ready_at: "2026-01-01T00:00:00Z", ttl_seconds: 3600 };
    expect(leaseSeconds(lease)).toBe(7200);
    expect(secondsLeft(lease, Date.parse("2026-01-01T01:30:00Z"))).toBe(1800);
    expect(secondsLeft(lease, Date.parse("2025-12-31T23:59:00Z"))).toBe(7200);
  });

  it("never runs backwards", () => {
    expect(secondsBetween("2026-01-01T00:00:05Z", "2026-01-01T00:00:00Z")).toBe(0);
    expect(secondsBetween("2026-01-01T00:00:00.250000Z", "2026-01-01T00:00:01Z")).toBe(0.75);
  });
});

describe("names", () => {
  it("are always valid", () => {
    for (let step = 0; step < 1; step += 0.013) expect(friendlyName(() => step)).toMatch(NAME_PATTERN);
  });

  it.each([
    ["", /Give/],
    ["9lives", /letter/],
    ["end-", /End/],
    ["under_score", /hyphens/],
    ["a".repeat(33), /32/],
  ])("%j is explained", (name, words) => expect(nameProblem(name)).toMatch(words));

  it("may be ordinary", () => expect(nameProblem("payments-branch-1432")).toBeNull());
});

it("keeps abbreviations when a title goes into a sentence", () => {
  expect(lowerFirst("No space left")).toBe("no space left");
  expect(lowerFirst("API server is gone")).toBe("API server is gone");
});
