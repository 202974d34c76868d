import type { Usage } from "@/lib/api/client";

/** "0.13 of a core", "2.4 cores": how many processors are kept busy. */
export function coreWords(cores: number): string {
  if (cores <= 0) return "0 of a core";
  if (cores < 0.005) return "less than 0.01 of a core";
  if (cores < 0.995) return `${cores.toFixed(2)} of a core`;
  const rounded = Number(cores.toFixed(1));
  return rounded === 1 ? "1 core" : `${rounded} cores`;
}

/** What its processors do. A frozen one does nothing, which is more than a low number. */
export function processorWords({ cpu_cores }: Usage, isPaused: boolean): string {
  return isPaused ? `asleep, ${coreWords(cpu_cores)}` : coreWords(cpu_cores);
}
