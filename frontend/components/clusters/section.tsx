import type { ReactNode } from "react";

/** A titled part of a view: the words on the left, the doing on the right. */
export function Section({ title, note, children }: { title: string; note?: ReactNode; children: ReactNode }) {
  return (
    <section className="grid gap-x-8 gap-y-3 border-b border-line pb-8 last:border-b-0 md:grid-cols-[minmax(0,280px)_minmax(0,1fr)]">
      <div>
        <h2 className="font-semibold">{title}</h2>
        {note ? <p className="mt-1 text-sm text-muted">{note}</p> : null}
      </div>
      <div className="grid min-w-0 content-start justify-items-start gap-2 *:max-w-full *:has-[code]:w-full">{children}</div>
    </section>
  );
}
