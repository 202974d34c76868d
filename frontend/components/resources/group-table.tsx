"use client";

import type { PodRow, ResourcesView, Row } from "@/lib/resources/reduce";
import type { Group, Grouped } from "@/lib/resources/select";
import { Age, EVENT_COLUMNS, NODE_COLUMNS, POD_COLUMNS, SERVICE_COLUMNS, WORKLOAD_COLUMNS } from "./columns";
import { ResourceTable } from "./resource-table";

interface GroupTableProps {
  chosen: Group;
  grouped: Grouped;
  more: ResourcesView["more"];
  isFiltered: boolean;
  isShown: (row: Row) => boolean;
  now: number;
  onOpenPod: (pod: PodRow) => void;
}

const WORKLOADS = ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"] as const;

/** The table of the group that was chosen. */
export function GroupTable({ chosen, grouped, more, isFiltered, isShown, now, onOpenPod }: GroupTableProps) {
  const empty = (words: string) => (isFiltered ? "Nothing here matches the filter." : words);
  switch (chosen) {
    case "pods":
      return (
        <ResourceTable
          label="Pods"
          rows={grouped.pods.filter(isShown)}
          columns={POD_COLUMNS}
          now={now}
          more={more.Pod ?? 0}
          empty={empty("No pods yet. They are here the moment Kubernetes makes them.")}
          below={(pod) => (
            <>
              {pod.ready}/{pod.total} ready, <Age since={pod.created_at} now={now} />
            </>
          )}
          onOpen={onOpenPod}
        />
      );
    case "workloads":
      return (
        <ResourceTable
          label="Workloads"
          rows={grouped.workloads.filter(isShown)}
          columns={WORKLOAD_COLUMNS}
          now={now}
          more={WORKLOADS.reduce((sum, kind) => sum + (more[kind] ?? 0), 0)}
          empty={empty("No deployments, stateful sets, daemon sets or jobs yet.")}
          below={(row) => row.kind}
        />
      );
    case "services":
      return (
        <ResourceTable
          label="Services"
          rows={grouped.services.filter(isShown)}
          columns={SERVICE_COLUMNS}
          now={now}
          more={more.Service ?? 0}
          empty={empty("No services yet.")}
          below={(row) => row.type}
        />
      );
    case "nodes":
      return (
        <ResourceTable
          label="Nodes"
          rows={grouped.nodes.filter(isShown)}
          columns={NODE_COLUMNS}
          now={now}
          more={more.Node ?? 0}
          empty={empty("No nodes.")}
          below={(row) => row.roles.join(", ") || "worker"}
        />
      );
    case "events":
      return (
        <ResourceTable
          label="Events"
          rows={grouped.events.filter(isShown)}
          columns={EVENT_COLUMNS}
          now={now}
          more={0}
          empty={empty("Kubernetes has told nothing in the last hour.")}
        />
      );
  }
}
