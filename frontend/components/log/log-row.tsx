import { memo } from "react";
import type { LogLine } from "@/lib/stream/cluster-history";
import { parseAnsi, type Span } from "@/lib/text/ansi";
import { classes } from "@/lib/text/classes";
import { splitMatches } from "@/lib/text/search";
import { secondsBetween, timeOfDay } from "@/lib/text/time";

interface LogRowProps {
  line: LogLine;
  wrap: boolean;
  query: string;
  marked: boolean;
  current: boolean;
  timed: boolean;
}

/** One line: its seq, the seconds since the start, its text in its colours. */
export const LogRow = memo(function LogRow({ line, wrap, query, marked, current, timed }: LogRowProps) {
  if (line.stream === "attempt") return <Divider line={line} current={current} />;
  return (
    <div
      data-seq={line.seq}
      className={classes(
        "flex border-l-2 pr-4 leading-5",
        current ? "border-accent bg-accent-soft" : marked ? "border-bad bg-bad-soft" : "border-transparent hover:bg-raised/60",
      )}
    >
      <span className="w-12 shrink-0 text-right text-faint select-none sm:w-13">{line.seq}</span>
      {timed ? (
        <span className="w-19 shrink-0 pr-5 text-right text-faint select-none max-sm:hidden">
          {line.startedAt ? `${secondsBetween(line.startedAt, line.at).toFixed(1)} s` : ""}
        </span>
      ) : null}
      <span className={classes(timed ? "max-sm:pl-3" : "pl-3", wrap ? "min-w-0 whitespace-pre-wrap" : "whitespace-pre", line.stream === "lab" && "text-muted italic")}>
        {spansOf(line.text).map((span, index) => (
          <Stretch key={index} span={span} query={query} />
        ))}
      </span>
    </div>
  );
});

/** Where another attempt begins: what stands above it belongs to the one before. */
function Divider({ line, current }: { line: LogLine; current: boolean }) {
  return (
    <div data-attempt className={classes("flex h-5 w-full items-center gap-3 pr-4 pl-3.5 font-sans text-sm font-medium", current ? "text-text" : "text-accent")}>
      <span className="shrink-0">{line.text}</span>
      <span aria-hidden="true" className="h-px grow bg-line-strong" />
      <time dateTime={line.at} className="shrink-0 text-faint">
        {timeOfDay(line.at)}
      </time>
    </div>
  );
}

const RED = 1;
const GREEN = 2;

/** The spans of a line; kind's own signs get a colour where it gave none. */
function spansOf(text: string): Span[] {
  const spans = parseAnsi(text);
  const [first, ...rest] = spans;
  if (first?.color !== null) return spans;
  const sign = /^\s*(?:✓|✗|ERROR:?)(?=\s)/.exec(first.text)?.[0];
  if (sign === undefined) return spans;
  const color = sign.endsWith("✓") ? GREEN : RED;
  return [{ ...first, text: sign, color }, { ...first, text: first.text.slice(sign.length) }, ...rest];
}

// Written out, because styles are generated from what stands in the source.
const COLORS = [
  "text-(--ansi-0)",
  "text-(--ansi-1)",
  "text-(--ansi-2)",
  "text-(--ansi-3)",
  "text-(--ansi-4)",
  "text-(--ansi-5)",
  "text-(--ansi-6)",
  "text-(--ansi-7)",
];

function Stretch({ span, query }: { span: Span; query: string }) {
  return (
    <span
      className={classes(
        span.color !== null && COLORS[span.color % 8],
        span.background !== null && "bg-raised",
        span.bold && "font-semibold",
        span.dim && "opacity-75",
        span.italic && "italic",
        span.underline && "underline",
      )}
    >
      {query === ""
        ? span.text
        : splitMatches(span.text, query).map((part, index) =>
            part.match ? (
              <mark key={index} className="rounded-xs bg-accent/25 text-text">
                {part.text}
              </mark>
            ) : (
              part.text
            ),
          )}
    </span>
  );
}
