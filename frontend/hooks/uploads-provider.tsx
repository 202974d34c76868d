"use client";

import { useQuery } from "@tanstack/react-query";
import { createContext, useEffect, useMemo, type ReactNode } from "react";
import { queries } from "@/lib/api/queries";
import { TabUploads } from "@/lib/images/tab-uploads";

export const UploadsContext = createContext<TabUploads | null>(null);

/** Owns what is being sent from this tab: it goes on in every view, as long as the same person is signed in. */
export function UploadsProvider({ children }: { children: ReactNode }) {
  const userId = useQuery(queries.me()).data?.user.id ?? null;
  const tab = useMemo(() => (userId === null ? null : new TabUploads()), [userId]);
  useEffect(() => {
    if (tab === null) return;
    const askFirst = (event: BeforeUnloadEvent) => {
      if (tab.isBusy()) event.preventDefault();
    };
    window.addEventListener("beforeunload", askFirst);
    return () => {
      window.removeEventListener("beforeunload", askFirst);
      tab.dispose();
    };
  }, [tab]);
  return <UploadsContext value={tab}>{children}</UploadsContext>;
}
