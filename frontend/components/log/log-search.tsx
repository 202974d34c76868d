"use client";

import { useEffect, useRef } from "react";
import { Button } from "@/components/ui/button";
import { ChevronDownIcon, ChevronUpIcon, CrossIcon, SearchIcon } from "@/components/ui/icons";

interface LogSearchProps {
  /** What is searched. */
  label?: string;
  query: string;
  count: number;
  current: number;
  onQuery: (query: string) => void;
  onGo: (step: 1 | -1) => void;
  onClose: () => void;
}

export function LogSearch({ label = "Search the log", query, count, current, onQuery, onGo, onClose }: LogSearchProps) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  return (
    <div role="search" className="flex min-w-0 grow items-center gap-1">
      <SearchIcon className="text-faint" />
      <input
        ref={input}
        type="search"
        aria-label={label}
        placeholder={label}
        value={query}
        onChange={(event) => onQuery(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") onClose();
          if (event.key === "Enter") onGo(event.shiftKey ? -1 : 1);
        }}
        className="h-7 w-0 min-w-16 grow bg-transparent px-1.5 outline-none max-sm:text-lg [&::-webkit-search-cancel-button]:hidden"
      />
      <span role="status" className="shrink-0 text-sm text-muted">
        {query === "" ? "" : count === 0 ? "None" : `${current + 1} of ${count}`}
      </span>
      <Button size="sm" look="ghost" className="w-7 px-0!" aria-label="Previous match" disabled={count === 0} onClick={() => onGo(-1)}>
        <ChevronUpIcon />
      </Button>
      <Button size="sm" look="ghost" className="w-7 px-0!" aria-label="Next match" disabled={count === 0} onClick={() => onGo(1)}>
        <ChevronDownIcon />
      </Button>
      <Button size="sm" look="ghost" className="w-7 px-0!" aria-label="Close the search" onClick={onClose}>
        <CrossIcon />
      </Button>
    </div>
  );
}
