import { CheckIcon, CircleIcon, ClockIcon, CrossIcon, DashIcon, PauseIcon, SpinnerIcon } from "@/components/ui/icons";
import type { Cluster, Phase } from "@/lib/api/client";
import { classes } from "@/lib/text/classes";
import { isCancelled } from "@/lib/text/failure";
import { doubtOf } from "@/lib/text/health";
import { stateOf } from "@/lib/text/words";

const LOOKS: Record<Phase, { color: string; Icon: (props: { className?: string }) => React.ReactNode }> = {
  pending: { color: "text-muted", Icon: ClockIcon },
  provisioning: { color: "text-accent", Icon: SpinnerIcon },
  ready: { color: "text-good", Icon: CheckIcon },
  paused: { color: "text-quiet", Icon: PauseIcon },
  failed: { color: "text-bad", Icon: CrossIcon },
  deleting: { color: "text-warn", Icon: DashIcon },
  deleted: { color: "text-faint", Icon: CircleIcon },
};

const CANCELLED = { color: "text-muted", Icon: DashIcon };

const DOUBTED = { color: "text-warn", Icon: ClockIcon };

function lookOf(cluster: Cluster) {
  if (doubtOf(cluster)) return DOUBTED;
  return cluster.phase === "failed" && isCancelled(cluster.failure) ? CANCELLED : LOOKS[cluster.phase];
}

/** The state as a colour, a shape and words. */
export function PhaseLabel({ cluster, className }: { cluster: Cluster; className?: string }) {
  const { color, Icon } = lookOf(cluster);
  return (
    <span data-phase={cluster.phase} className={classes("inline-flex min-w-0 items-center gap-2 font-medium", color, className)}>
      <Icon className="size-3.5" />
      <span className="min-w-0">{stateOf(cluster)}</span>
    </span>
  );
}

/** How far the build is, as a thin line. The words beside it say the same. */
export function ProgressLine({ percent, className }: { percent: number; className?: string }) {
  return (
    <svg aria-hidden="true" viewBox="0 0 100 2" preserveAspectRatio="none" className={classes("block h-0.5 w-full overflow-hidden rounded-full", className)}>
      <rect width="100" height="2" className="fill-line" />
      <rect width={Math.max(2, percent)} height="2" className="fill-accent transition-[width] duration-500" />
    </svg>
  );
}
