import { classes } from "@/lib/text/classes";

/** How far something is. `isBusy`: it goes on, and nobody knows how long. */
export function Progress({ label, percent, words, isBusy = false }: { label: string; percent: number; words: string; isBusy?: boolean }) {
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={isBusy ? undefined : percent}
      aria-valuetext={words}
      className={classes("relative overflow-hidden rounded-full", isBusy && "hairline")}
    >
      <svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" className="block h-1 w-full">
        <rect width="100" height="4" className="fill-line" />
        <rect width={percent} height="4" className="fill-accent" />
      </svg>
    </div>
  );
}
