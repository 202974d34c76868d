import type { EventRow, NodeRow, PodRow, ServiceRow, WorkloadRow } from "@/lib/resources/reduce";
import { classes } from "@/lib/text/classes";
import { coarse, secondsBetween, when } from "@/lib/text/time";
import { HealthLabel } from "./health-label";
import type { Column } from "./resource-table";

export function Age({ since, now }: { since: string | null | undefined; now: number }) {
  if (!since) return <span className="text-faint">unknown</span>;
  return (
    <time dateTime={since} title={when(since)} className="whitespace-nowrap text-muted">
      {coarse(secondsBetween(since, now))}
    </time>
  );
}

export function Restarts({ pod, now }: { pod: PodRow; now: number }) {
  if (pod.restarts === 0) return <span className="text-faint">0</span>;
  return (
    <span className={classes("whitespace-nowrap", pod.health === "bad" ? "font-medium text-bad" : "font-medium text-warn")}>
      {pod.restarts}
      {pod.restarted_at ? <span className="font-normal text-faint max-sm:hidden"> ({coarse(secondsBetween(pod.restarted_at, now))} ago)</span> : null}
    </span>
  );
}

const mono = (text: string | null | undefined) => <span className="font-mono text-sm text-muted">{text ?? "none"}</span>;

/** kind's nodes carry the name of the attempt that made them, which tells nobody anything. */
export function shortNode(name: string): string {
  return name.replace(/^pyk8s-[0-9a-f]{32}-/, "");
}

export const POD_COLUMNS: Column<PodRow>[] = [
  { title: "Pod", cell: (pod) => pod.name },
  { title: "Status", cell: (pod) => <HealthLabel health={pod.health}>{pod.status}</HealthLabel> },
  { title: "Ready", cell: (pod) => `${pod.ready}/${pod.total}`, wide: true, right: true },
  { title: "Restarts", cell: (pod, now) => <Restarts pod={pod} now={now} />, right: true },
  { title: "Node", cell: (pod) => mono(pod.node ? shortNode(pod.node) : null), wide: true },
  { title: "Age", cell: (pod, now) => <Age since={pod.created_at} now={now} />, wide: true, right: true },
];

export const WORKLOAD_COLUMNS: Column<WorkloadRow>[] = [
  { title: "Workload", cell: (row) => row.name },
  { title: "Kind", cell: (row) => <span className="text-muted">{row.kind}</span>, wide: true },
  { title: "Status", cell: (row) => <HealthLabel health={row.health}>{row.status}</HealthLabel> },
  { title: "Ready", cell: (row) => readiness(row), right: true },
  { title: "Images", cell: (row) => mono(row.images.join(", ")), wide: true },
  { title: "Age", cell: (row, now) => <Age since={row.created_at} now={now} />, wide: true, right: true },
];

function readiness(row: WorkloadRow): string {
  if (row.kind === "CronJob") return row.schedule ?? "";
  return row.desired === null ? `${row.ready}` : `${row.ready}/${row.desired}`;
}

export const SERVICE_COLUMNS: Column<ServiceRow>[] = [
  { title: "Service", cell: (row) => row.name },
  { title: "Type", cell: (row) => <span className="text-muted">{row.type}</span>, wide: true },
  { title: "Address", cell: (row) => mono(row.cluster_ip === "None" ? "headless" : row.cluster_ip) },
  { title: "Ports", cell: (row) => mono(row.ports.join(", ")) },
  { title: "Outside", cell: (row) => mono(row.external.join(", ") || undefined), wide: true },
  { title: "Age", cell: (row, now) => <Age since={row.created_at} now={now} />, wide: true, right: true },
];

export const NODE_COLUMNS: Column<NodeRow>[] = [
  { title: "Node", cell: (row) => shortNode(row.name) },
  { title: "Status", cell: (row) => <HealthLabel health={row.health}>{row.status}</HealthLabel> },
  { title: "Roles", cell: (row) => <span className="text-muted">{row.roles.join(", ") || "worker"}</span>, wide: true },
  { title: "Version", cell: (row) => mono(row.version) },
  { title: "Address", cell: (row) => mono(row.ip), wide: true },
  { title: "Age", cell: (row, now) => <Age since={row.created_at} now={now} />, wide: true, right: true },
];

export const EVENT_COLUMNS: Column<EventRow>[] = [
  { title: "About", cell: (row) => row.object },
  {
    title: "What",
    cell: (row) => (
      <div className="min-w-0">
        <span className={row.type === "Warning" ? "font-medium text-warn" : "text-muted"}>
          {row.type === "Warning" ? "Warning: " : ""}
          {row.reason}
          {row.count > 1 ? <span className="font-normal text-faint"> {row.count} times</span> : null}
        </span>
        <p className="line-clamp-3 text-sm text-muted" title={row.message}>
          {row.message}
        </p>
      </div>
    ),
  },
  { title: "Last seen", cell: (row, now) => <Age since={row.last_seen} now={now} />, right: true },
];
