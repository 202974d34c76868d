import { InlineCommand } from "@/components/ui/command-line";
import { PauseIcon } from "@/components/ui/icons";

/** What a pause means. The button that ends it stands above. */
export function PausedNote({ name }: { name: string }) {
  return (
    <div className="appear mt-4 flex flex-wrap items-center gap-x-4 gap-y-1.5 rounded-lg border border-line bg-surface py-1.5 pr-1.5 pl-4">
      <p className="flex grow basis-60 items-baseline gap-2.5">
        <PauseIcon className="size-3.5 translate-y-0.5 text-quiet" />
        <span>
          <span className="font-medium">Frozen.</span> <span className="text-muted">It keeps its memory, takes no CPU, and wakes by itself when it is used.</span>
        </span>
      </p>
      <InlineCommand command={`pyk8s resume ${name}`} />
    </div>
  );
}
