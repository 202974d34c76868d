"use client";

import { useQuery } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { InlineCommand } from "@/components/ui/command-line";
import { SearchIcon } from "@/components/ui/icons";
import { inputClasses } from "@/components/ui/field";
import { Kbd } from "@/components/ui/kbd";
import { Notice } from "@/components/ui/notice";
import { useShortcuts } from "@/hooks/use-shortcuts";
import { useTitle } from "@/hooks/use-title";
import { asProblem } from "@/lib/api/problem";
import { queries } from "@/lib/api/queries";
import { classes } from "@/lib/text/classes";
import { ClusterTable, TableSkeleton } from "./cluster-table";
import { EmptyDashboard } from "./empty-dashboard";
import { countOf, FILTERS, matches, type Filter } from "./filters";

export function Dashboard({ onCreate }: { onCreate: () => void }) {
  useTitle("Clusters");
  const [filter, setFilter] = useState<Filter>("all");
  const [search, setSearch] = useState("");
  const input = useRef<HTMLInputElement>(null);
  useShortcuts({ "/": () => input.current?.focus() });

  const living = useQuery(queries.clusters());
  const ended = useQuery({ ...queries.ended(), enabled: filter === "ended" });
  const shown = filter === "ended" ? ended : living;
  const rows = shown.data?.filter((cluster) => matches(cluster, filter, search));
  const isNew = living.data?.length === 0 && filter !== "ended";

  return (
    <>
      <div className="flex items-center justify-between gap-4">
        <h1 className="text-xl font-semibold">Clusters</h1>
        <Button look="primary" onClick={onCreate}>
          New cluster
          <Kbd className="border-on-inverse/35! text-on-inverse! max-sm:hidden">N</Kbd>
        </Button>
      </div>
      <div className="mt-5 mb-4 flex flex-wrap items-center gap-x-3 gap-y-3">
        <div className="relative w-full sm:w-70">
          <SearchIcon className="pointer-events-none absolute top-2.5 left-3 text-faint" />
          <input
            ref={input}
            type="search"
            aria-label="Search name or label"
            placeholder="Search name or label"
            value={search}
            onChange={(event) => setSearch(event.target.value)}
            onKeyDown={(event) => {
              if (event.key !== "Escape") return;
              setSearch("");
              event.currentTarget.blur();
            }}
            className={classes(inputClasses, "pr-9 pl-9 [&::-webkit-search-cancel-button]:hidden")}
          />
          <Kbd className="pointer-events-none absolute top-2 right-2 max-sm:hidden">/</Kbd>
        </div>
        <div role="group" aria-label="Filter" className="no-scrollbar -m-1 flex gap-0.5 overflow-x-auto p-1">
          {FILTERS.map(({ value, label }) => (
            <button
              key={value}
              type="button"
              aria-pressed={filter === value}
              onClick={() => setFilter(value)}
              className={classes(
                "shrink-0 rounded-full px-2.5 py-1 transition-[background,color]",
                filter === value ? "bg-raised font-medium text-text" : "text-muted hover:text-text",
              )}
            >
              {label}
              <Count value={countOf(living.data, value)} />
            </button>
          ))}
        </div>
      </div>
      {shown.isError ? (
        <Notice title={asProblem(shown.error).title} action={<Button onClick={() => void shown.refetch()}>Try again</Button>}>
          {asProblem(shown.error).words}
        </Notice>
      ) : isNew ? (
        <EmptyDashboard onCreate={onCreate} />
      ) : rows === undefined ? (
        <TableSkeleton />
      ) : rows.length === 0 ? (
        <NoMatch filter={filter} search={search} onClear={() => (setSearch(""), setFilter("all"))} />
      ) : (
        <ClusterTable clusters={rows} />
      )}
      {isNew ? null : (
        <p className="mt-4 flex flex-wrap items-center gap-2 text-muted">
          The same from a shell <InlineCommand command="pyk8s create --wait" />
        </p>
      )}
    </>
  );
}

function Count({ value }: { value: number | null }) {
  return value ? <span className="ml-1.5 text-faint">{value}</span> : null;
}

function NoMatch({ filter, search, onClear }: { filter: Filter; search: string; onClear: () => void }) {
  const what: Record<Filter, string> = {
    all: "No cluster",
    building: "No cluster is being built",
    ready: "No cluster is ready",
    failed: "No cluster has failed",
    ended: "No cluster has ended yet",
  };
  return (
    <div className="rounded-lg border border-line bg-surface px-4 py-12 text-center text-muted">
      <p>
        {what[filter]}
        {search ? ` with “${search}” in its name or labels` : ""}.
      </p>
      <Button className="mt-4" onClick={onClear}>
        Show all
      </Button>
    </div>
  );
}

