"use client";

import { LabLink } from "@/components/shell/lab-link";
import { CommandLine } from "@/components/ui/command-line";
import { Notice } from "@/components/ui/notice";
import { fileUrl, type Cluster } from "@/lib/api/client";
import type { HistoryView } from "@/lib/stream/cluster-history";
import { contextOf } from "@/lib/text/words";
import { AccessDownload } from "./access-download";
import { CredentialList } from "./credential-list";
import { AppsSection } from "./apps-section";
import { Section } from "./section";

export function AccessTab({ cluster, history }: { cluster: Cluster; history: HistoryView }) {
  // What is fetched from a paused one is good, and wakes it when it is used.
  if (cluster.phase !== "ready" && cluster.phase !== "paused") return <NotReady cluster={cluster} />;
  const origin = window.location.origin;
  return (
    <div className="grid gap-8">
      {cluster.driver === "simulated" ? (
        <Notice tone="warn" title="This cluster is simulated">
          The kubeconfig has the right form, but nothing answers at its address.
        </Notice>
      ) : null}
      <Section
        title="kubeconfig"
        note={`The context, the cluster and the user in it are called ${contextOf(cluster.name)}, or ${contextOf(cluster.name, "direct")} in a direct one. Each download is a credential of its own: a secret that lets in whoever has the file.`}
      >
        <AccessDownload cluster={cluster} />
        <CommandLine command={`kubectl --kubeconfig ${contextOf(cluster.name)}.yaml get nodes`} />
      </Section>
      <Section title="Credentials" note="What lets in whoever has it, under your name. Revoke what you do not use or do not know.">
        <CredentialList cluster={cluster} history={history} />
      </Section>
      {cluster.driver === "simulated" ? null : <AppsSection cluster={cluster} />}
      <Section title="With pyk8s" note="Adds the context to your kubeconfig and leaves everything else in it alone.">
        <CommandLine command={`pyk8s kubeconfig merge ${cluster.name}`} />
        <CommandLine command={`kubectl --context ${contextOf(cluster.name)} get nodes`} />
      </Section>
      <Section title="Without a secret in the file" note="kubectl asks pyk8s for a token each time, as long as you are signed in there.">
        <CommandLine command={`pyk8s kubeconfig merge ${cluster.name} --exec`} />
      </Section>
      <Section
        title="With curl"
        note={
          <>
            For scripts. The token comes from{" "}
            <LabLink href="/account" className="text-accent underline underline-offset-2">
              your account
            </LabLink>
            ; it needs the scope <code className="font-mono">access</code>.
          </>
        }
      >
        <CommandLine command={`curl -fsS -H "Authorization: Bearer $PYK8S_TOKEN" ${origin}${fileUrl.kubeconfig(cluster.name)} -o ${contextOf(cluster.name)}.yaml`} />
      </Section>
    </div>
  );
}

function NotReady({ cluster }: { cluster: Cluster }) {
  const words = {
    pending: "The kubeconfig is here as soon as the cluster is ready.",
    provisioning: "The kubeconfig is here as soon as the cluster is ready.",
    paused: "",
    failed: "The cluster failed, so there is nothing to reach. The tab Build says why.",
    deleting: "The cluster is being deleted; its kubeconfig does not work any more.",
    deleted: "The cluster is deleted; its kubeconfig does not work any more.",
    ready: "",
  }[cluster.phase];
  return <p className="rounded-lg border border-line bg-surface px-4 py-10 text-center text-muted">{words}</p>;
}
