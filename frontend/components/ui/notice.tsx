import type { ReactNode } from "react";
import { classes } from "@/lib/text/classes";

const TONES = {
  bad: "border-bad-line bg-bad-soft",
  warn: "border-line-strong bg-warn-soft",
  plain: "border-line bg-surface",
};

/** Something that went otherwise than wished, with the way out. */
export function Notice({ tone = "bad", title, children, action }: { tone?: keyof typeof TONES; title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div role={tone === "bad" ? "alert" : undefined} className={classes("flex flex-wrap items-start gap-x-4 gap-y-3 rounded-lg border px-4 py-3", TONES[tone])}>
      <div className="min-w-0 grow basis-64">
        <p className="font-medium">{title}</p>
        {children ? <div className="mt-0.5 text-sm text-muted">{children}</div> : null}
      </div>
      {action}
    </div>
  );
}
