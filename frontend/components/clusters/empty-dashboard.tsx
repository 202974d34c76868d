import { Button } from "@/components/ui/button";
import { InlineCommand } from "@/components/ui/command-line";
import { LogoIcon } from "@/components/ui/icons";

export function EmptyDashboard({ onCreate }: { onCreate: () => void }) {
  return (
    <div className="flex flex-col items-center rounded-lg border border-line bg-surface px-4 py-16 text-center">
      <LogoIcon className="size-8" />
      <h2 className="mt-4 text-lg font-semibold">Your first cluster is one click away</h2>
      <p className="mt-1 max-w-[420px] text-muted">A real Kubernetes of your own. It is deleted by itself when its time is over.</p>
      <Button look="primary" className="mt-5" onClick={onCreate}>
        Create a cluster
      </Button>
      <p className="mt-5 text-sm text-faint">
        or from a shell <InlineCommand command="pyk8s create --wait" />
      </p>
    </div>
  );
}
