import { InlineCommand } from "@/components/ui/command-line";
import { PauseIcon } from "@/components/ui/icons";
import type { Cluster } from "@/lib/api/client";

/** What a pause means. The button that ends it stands above. */
export function PausedNote({ cluster }: { cluster: Cluster }) {
  const isStopped = cluster.conditions.some(({ type, reason }) => type === "Ready" && reason === "Stopped");
  return (
    <div className="appear mt-4 flex flex-wrap items-center gap-x-4 gap-y-1.5 rounded-lg border border-line bg-surface py-1.5 pr-1.5 pl-4">
      <p className="flex grow basis-60 items-baseline gap-2.5">
        <PauseIcon className="size-3.5 translate-y-0.5 text-quiet" />
        <span>
          <span className="font-medium">{isStopped ? "Stopped." : "Frozen."}</span>{" "}
          <span className="text-muted">
            {isStopped
              ? "Its memory is free. It starts by itself when it is used, which takes about ten seconds."
              : "It keeps its memory, takes no CPU, and wakes by itself when it is used."}
          </span>
        </span>
      </p>
      <InlineCommand command={`pyk8s resume ${cluster.name}`} />
    </div>
  );
}
