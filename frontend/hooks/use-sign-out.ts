"use client";

import { useQueryClient } from "@tanstack/react-query";
import { navigate } from "@/hooks/use-route";
import { keys } from "@/lib/api/queries";

/** Gives what forgets, in this browser, all that somebody saw who has signed out. */
export function useSignOut(): () => Promise<void> {
  const client = useQueryClient();
  return async () => {
    navigate("/");
    client.removeQueries({ predicate: (query) => query.queryKey[0] !== keys.me[0] && query.queryKey[0] !== keys.server[0] });
    await client.resetQueries({ queryKey: keys.me });
  };
}
