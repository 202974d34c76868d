import { describe, expect, it } from "vitest";
import { backoff } from "@/lib/stream/backoff";

describe("the wait before another try", () => {
  it("doubles the cap of the wait, never over 30 s, and uses all of it", () => {
    const longest = () => 0.999_999;
    expect([1, 2, 3, 4, 5, 6, 7, 8, 50].map((attempt) => backoff(attempt, longest))).toEqual([
      500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
    ]);
    expect(backoff(9, () => 0)).toBe(0);
  });
});
