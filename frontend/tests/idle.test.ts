import { describe, expect, it } from "vitest";
import { idleWords } from "@/lib/text/idle";

const USED = { used_at: "2026-11-28T02:00:00Z" };

describe("since when nobody has used a cluster", () => {
  it("says when it is paused", () => {
    expect(idleWords({ ...USED, pauses_at: "2026-11-28T02:30:00Z", stays_awake_because: null })).toMatch(/^since .+; paused at .+ if nobody uses it until then$/);
  });
  it("says why it is not", () => {
    expect(idleWords({ ...USED, pauses_at: null, stays_awake_because: "it is paused already" })).toMatch(/; not paused by itself, because it is paused already$/);
    expect(idleWords({ ...USED, pauses_at: null, stays_awake_because: null })).toMatch(/^since /);
  });
});
