"use client";

import { useState } from "react";
import { CancelDialog, DeleteDialog } from "@/components/shell/lazy";
import { useNow } from "@/hooks/use-now";
import type { Cluster } from "@/lib/api/client";
import { ClusterRow } from "./cluster-row";
import { ClosableNotice } from "@/components/ui/closable-notice";
import type { ApiProblem } from "@/lib/api/problem";

const COLUMNS = ["Name", "State", "Nodes", "Age", "Time left"];

export function ClusterTable({ clusters }: { clusters: Cluster[] }) {
  const [asking, setAsking] = useState<{ to: "cancel" | "delete"; cluster: Cluster } | null>(null);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const now = useNow(1000);
  return (
    <>
      {problem ? (
        <div className="mb-3">
          <ClosableNotice title={problem.title} words={problem.words} onClose={() => setProblem(null)} />
        </div>
      ) : null}
      <div className="overflow-hidden rounded-lg border border-line bg-surface">
        <table className="w-full text-left max-md:block">
          <caption className="sr-only">Clusters</caption>
          <thead className="text-sm text-faint max-md:sr-only">
            <tr className="border-b border-line">
              {COLUMNS.map((column) => (
                <th key={column} scope="col" className="px-4 py-2.5 font-medium">
                  {column}
                </th>
              ))}
              <th scope="col" className="px-4 py-2.5">
                <span className="sr-only">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody className="max-md:block">
            {clusters.map((cluster) => (
              <ClusterRow key={cluster.id} cluster={cluster} now={now} onAsk={(to) => setAsking({ to, cluster })} onProblem={setProblem} />
            ))}
          </tbody>
        </table>
      </div>
      {asking?.to === "cancel" ? <CancelDialog cluster={asking.cluster} onClose={() => setAsking(null)} /> : null}
      {asking?.to === "delete" ? <DeleteDialog cluster={asking.cluster} onClose={() => setAsking(null)} /> : null}
    </>
  );
}

export function TableSkeleton() {
  return (
    <div aria-busy="true" aria-label="Loading the clusters" role="status" className="overflow-hidden rounded-lg border border-line bg-surface">
      {[0, 1, 2].map((row) => (
        <div key={row} className="flex items-center gap-6 border-b border-line px-4 py-4 last:border-b-0">
          <div className="grid grow gap-2">
            <div className="skeleton h-4 w-36" />
            <div className="skeleton h-3 w-24" />
          </div>
          <div className="skeleton h-4 w-40 max-md:hidden" />
          <div className="skeleton h-7 w-20" />
        </div>
      ))}
    </div>
  );
}
