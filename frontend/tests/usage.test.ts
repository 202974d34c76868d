import { describe, expect, it } from "vitest";
import { binarySize } from "@/lib/text/size";
import { coreWords, processorWords } from "@/lib/text/usage";

describe("a number of bytes in words", () => {
  it.each([
    [0, "0 B"],
    [512, "512 B"],
    [999, "999 B"],
    [1000, "1.0 KiB"],
    [2_200_000, "2.1 MiB"],
    [120 * 1024 ** 2, "120 MiB"],
    [999.9 * 1024, "1.0 MiB"],
    [9.97 * 1024 ** 2, "10 MiB"],
    [1.5 * 1024 ** 3, "1.5 GiB"],
    [3 * 1024 ** 5, "3072 TiB"],
  ])("%d is %s", (bytes, words) => expect(binarySize(bytes)).toBe(words));
});

describe("what keeps processors busy", () => {
  it.each([
    [0, "0 of a core"],
    [0.004, "less than 0.01 of a core"],
    [0.131, "0.13 of a core"],
    [0.997, "1 core"],
    [2.37, "2.4 cores"],
  ])("%d is %s", (cores, words) => expect(coreWords(cores)).toBe(words));

  it("is nothing in a paused cluster, which is said", () => {
    const usage = { memory_bytes: 1, cpu_cores: 0, sample_seconds: 1, disk_bytes: null, measured_at: "2026-11-23T20:00:00Z" };
    expect(processorWords(usage, true)).toBe("asleep, 0 of a core");
    expect(processorWords({ ...usage, cpu_cores: 0.131 }, false)).toBe("0.13 of a core");
  });
});
