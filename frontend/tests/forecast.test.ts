import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Step, Template } from "@/lib/api/client";
import { etaOf, expectedFor, leftWords, type Eta, type Expected } from "@/lib/text/forecast";
import { makeCluster, makeTemplate } from "./factories";

interface Golden {
  name: string;
  expected: Expected;
  spent: number;
  step: Step | null;
  in_step: number;
  eta: Eta | null;
}

const golden = JSON.parse(readFileSync(new URL("../../tests/golden/forecast.json", import.meta.url), "utf8")) as Golden[];

describe("etaOf says what pyk8s/wire/forecast.py says", () => {
  it("in more than a few cases", () => expect(golden.length).toBeGreaterThan(8));
  it.each(golden)("$name", ({ expected, spent, step, in_step: inStep, eta }) => {
    expect(etaOf(expected, { spent, step, inStep })).toEqual(eta);
  });
});

describe("leftWords", () => {
  it.each([
    [{ low: 12.4, high: 17.6 }, "12 to 18 s left"],
    [{ low: 4.2, high: 4.9 }, "5 s left"],
    [{ low: 0.4, high: 6.8 }, "at most 7 s left"],
    [{ low: 0, high: 0 }, "at most 1 s left"],
    [{ low: 50.2, high: 70.1 }, "50 s to 1 min 11 s left"],
    [{ low: 65, high: 130 }, "1 min 5 s to 2 min 10 s left"],
  ])("%j is %s", (eta, words) => expect(leftWords(eta)).toBe(words));
});

it("knows nothing of a cluster of another shape than its template's", () => {
  const template: Template = makeTemplate({ workers: 0 });
  expect(expectedFor(makeCluster(), template)).toBe(template.expected_seconds);
  expect(expectedFor(makeCluster({ workers: 2 }), template)).toBeNull();
  expect(expectedFor(makeCluster(), undefined)).toBeNull();
});
