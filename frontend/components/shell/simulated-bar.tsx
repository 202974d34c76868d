"use client";

import { useQuery } from "@tanstack/react-query";
import { queries } from "@/lib/api/queries";

/** Says on every page that nothing here is real, or that nothing can be built. */
export function SimulatedBar() {
  const driver = useQuery(queries.server()).data?.driver;
  if (driver === "simulated") {
    return (
      <aside aria-label="About this server" className="stripes border-b border-line bg-warn-soft px-4 py-1.5 text-center text-sm">
        <strong className="font-semibold text-warn">Simulated.</strong> Clusters here play a script: nothing runs in them, kubectl
        cannot reach them.
      </aside>
    );
  }
  if (driver === "none") {
    return (
      <aside aria-label="About this server" className="border-b border-line bg-warn-soft px-4 py-1.5 text-center text-sm">
        <strong className="font-semibold text-warn">Nothing can be built just now.</strong> No provisioner has reported to this server yet.
      </aside>
    );
  }
  return null;
}

/** The striped tag of one simulated cluster. */
export function SimulatedTag() {
  return (
    <span className="stripes inline-flex h-5 items-center rounded-sm border border-warn/40 bg-warn-soft px-1.5 text-xs font-medium text-warn">
      simulated
    </span>
  );
}
