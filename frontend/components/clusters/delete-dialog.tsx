"use client";

import { useState, type ReactNode } from "react";
import { Button } from "@/components/ui/button";
import { InlineCommand } from "@/components/ui/command-line";
import { Dialog } from "@/components/ui/dialog";
import { Notice } from "@/components/ui/notice";
import { useClusterAction } from "@/hooks/use-cluster-action";
import { api, type Cluster } from "@/lib/api/client";
import type { ApiProblem } from "@/lib/api/problem";

interface AboutCluster {
  cluster: Cluster;
  onClose: () => void;
}

/** The second step of a deletion. */
export function DeleteDialog({ cluster, onClose }: AboutCluster) {
  return (
    <SecondStep
      title={`Delete ${cluster.name}?`}
      command={`pyk8s delete ${cluster.name}`}
      keep="Keep it"
      doIt="Delete cluster"
      ask={() => api.deleteCluster(cluster.id)}
      onClose={onClose}
    >
      {cluster.phase === "pending" || cluster.phase === "provisioning"
        ? "The build stops, and the cluster is removed from your list with all it has made. This cannot be undone. Its log stays readable."
        : cluster.phase === "failed"
          ? "The cluster leaves your list, and the evidence of its failure is removed. This cannot be undone. Its log stays readable."
          : "The cluster and everything in it are removed now, and its kubeconfig stops working. This cannot be undone. Its log stays readable."}
    </SecondStep>
  );
}

/** The second step of stopping a build. */
export function CancelDialog({ cluster, onClose }: AboutCluster) {
  return (
    <SecondStep
      title={`Cancel the build of ${cluster.name}?`}
      command={`pyk8s cancel ${cluster.name}`}
      keep="Keep building"
      doIt="Cancel the build"
      ask={() => api.cancelCluster(cluster.id)}
      onClose={onClose}
    >
      The build stops at once, and what it has made is removed within seconds. The cluster stays in your list, as cancelled, with its log: retry it
      there, or delete it.
    </SecondStep>
  );
}

interface SecondStepProps {
  title: string;
  command: string;
  keep: string;
  doIt: string;
  ask: () => Promise<Cluster | null>;
  onClose: () => void;
  children: ReactNode;
}

function SecondStep({ title, command, keep, doIt, ask, onClose, children }: SecondStepProps) {
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const { busy, run } = useClusterAction(ask, setProblem);
  const act = async () => {
    if (await run()) onClose();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="grid gap-4 px-6 pt-2 pb-5">
        <p className="text-muted">{children}</p>
        <p className="text-sm text-faint">
          From a shell <InlineCommand command={command} />
        </p>
        {problem ? <Notice title={problem.title}>{problem.words}</Notice> : null}
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={onClose} data-autofocus>
            {keep}
          </Button>
          <Button look="danger-solid" disabled={busy} onClick={() => void act()}>
            {doIt}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
