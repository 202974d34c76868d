"use client";

import { Button } from "@/components/ui/button";
import { PauseIcon, PlayIcon, SpinnerIcon } from "@/components/ui/icons";
import { useRest } from "@/hooks/use-rest";
import type { Cluster } from "@/lib/api/client";
import type { ApiProblem } from "@/lib/api/problem";

interface PauseButtonProps {
  cluster: Cluster;
  onProblem: (problem: ApiProblem | null) => void;
}

/** Freezes a cluster, or lets it go on. One button for both, so that the keyboard stays on it. */
export function PauseButton({ cluster, onProblem }: PauseButtonProps) {
  const { pending, ask } = useRest(cluster, onProblem);
  const isPaused = cluster.phase === "paused";
  const Icon = pending ? SpinnerIcon : isPaused ? PlayIcon : PauseIcon;
  return (
    <Button aria-disabled={pending} onClick={ask}>
      <Icon className="size-3.5" />
      {isPaused ? (pending ? "Resuming" : "Resume") : pending ? "Pausing" : "Pause"}
    </Button>
  );
}
