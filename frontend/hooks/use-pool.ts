import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { api } from "@/lib/api/client";
import { asProblem, type ApiProblem } from "@/lib/api/problem";
import { keys, queries } from "@/lib/api/queries";

export function usePool() {
  return useQuery(queries.pool());
}

interface PoolSize {
  /** What was asked for and is not answered yet. */
  wanted: number | null;
  problem: ApiProblem | null;
  set: (size: number) => void;
  forget: () => void;
}

/** Changes the size of a template's pool. Of several clicks the last one counts. */
export function usePoolSize(template: string): PoolSize {
  const client = useQueryClient();
  const [wanted, setWanted] = useState<number | null>(null);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const clicks = useRef(0);
  // One after the other: answers, and what the server does, must not overtake each other.
  const last = useRef<Promise<unknown>>(Promise.resolve());

  const set = (size: number) => {
    clicks.current += 1;
    const mine = clicks.current;
    setWanted(size);
    setProblem(null);
    last.current = last.current.then(async () => {
      if (mine !== clicks.current) return;
      try {
        const { items } = await api.setPool(template, size);
        await client.cancelQueries({ queryKey: keys.pool });
        client.setQueryData(keys.pool, items);
        void client.invalidateQueries({ queryKey: keys.capacity });
      } catch (error) {
        setProblem(asProblem(error));
      }
      if (mine === clicks.current) setWanted(null);
    });
  };
  return { wanted, problem, set, forget: () => setProblem(null) };
}
