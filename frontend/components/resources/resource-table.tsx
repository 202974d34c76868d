"use client";

import { useState, type ReactNode } from "react";
import { Button } from "@/components/ui/button";
import type { Row } from "@/lib/resources/reduce";
import { namespaceOf } from "@/lib/resources/select";
import { classes } from "@/lib/text/classes";

export interface Column<T> {
  title: string;
  cell: (row: T, now: number) => ReactNode;
  /** Left out where there is little room: what it says stands under the name then, or in the panel. */
  wide?: boolean;
  right?: boolean;
}

interface ResourceTableProps<T extends Row> {
  label: string;
  rows: T[];
  columns: Column<T>[];
  now: number;
  /** Rows that the server leaves out. */
  more: number;
  empty: string;
  /** Under the name, on a narrow page. */
  below?: (row: T, now: number) => ReactNode;
  onOpen?: (row: T) => void;
}

/** So many are drawn at first. */
const PAGE = 200;

/** Rows of one group. The name is what opens a row; the rest of the row is as good to click. */
export function ResourceTable<T extends Row>({ label, rows, columns, now, more, empty, below, onOpen }: ResourceTableProps<T>) {
  const [shown, setShown] = useState(PAGE);
  if (rows.length === 0) return <p className="rounded-lg border border-line bg-surface px-4 py-10 text-center text-muted">{empty}</p>;
  return (
    <>
      <div className="overflow-hidden rounded-lg border border-line bg-surface">
        <table className="w-full text-left">
          <caption className="sr-only">{label}</caption>
          <thead className="text-sm text-faint">
            <tr className="border-b border-line">
              {columns.map((column) => (
                <th key={column.title} scope="col" className={cellClasses(column, "py-2 font-medium whitespace-nowrap")}>
                  {column.title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, shown).map((row) => (
              <tr key={row.uid} data-row={row.name} className={classes("relative border-b border-line align-top last:border-b-0", onOpen && "hover:bg-raised/60")}>
                {columns.map((column, index) => (
                  <td key={column.title} className={cellClasses(column, "py-2")}>
                    {index === 0 ? <Name row={row} onOpen={onOpen}>{column.cell(row, now)}</Name> : column.cell(row, now)}
                    {index === 0 && below ? <div className="mt-0.5 text-sm text-faint md:hidden">{below(row, now)}</div> : null}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > shown ? (
        <Button className="justify-self-center" onClick={() => setShown(shown + PAGE)}>
          Show {Math.min(PAGE, rows.length - shown)} of {rows.length - shown} more
        </Button>
      ) : null}
      {more > 0 ? <p className="text-sm text-muted">{more.toLocaleString("en")} more in the cluster than this page is told of; kubectl has them all.</p> : null}
    </>
  );
}

function Name<T extends Row>({ row, onOpen, children }: { row: T; onOpen: ((row: T) => void) | undefined; children: ReactNode }) {
  const namespace = namespaceOf(row);
  return (
    <div className="min-w-0">
      {onOpen ? (
        <button type="button" className="text-left font-medium after:absolute after:inset-0 hover:underline" aria-haspopup="dialog" onClick={() => onOpen(row)}>
          {children}
        </button>
      ) : (
        <span className="font-medium">{children}</span>
      )}
      {namespace ? <span className="block text-sm text-faint">{namespace}</span> : null}
    </div>
  );
}

function cellClasses<T>(column: Column<T>, more: string): string {
  return classes("px-3 first:pl-4 last:pr-4 max-md:first:w-2/5", more, column.wide && "max-md:hidden", column.right && "text-right");
}
