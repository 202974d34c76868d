import { classes } from "@/lib/text/classes";

export function Kbd({ children, className }: { children: string; className?: string }) {
  return (
    <kbd
      className={classes(
        "inline-flex h-5 min-w-5 items-center justify-center rounded-sm border border-line-strong px-1 font-mono text-xs text-faint",
        className,
      )}
    >
      {children}
    </kbd>
  );
}
