"use client";

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Choice } from "@/components/ui/choice";
import { DownloadIcon } from "@/components/ui/icons";
import { Notice } from "@/components/ui/notice";
import { api, type Cluster, type Endpoint } from "@/lib/api/client";
import { asProblem, type ApiProblem } from "@/lib/api/problem";
import { queries } from "@/lib/api/queries";
import { saveFile } from "@/lib/browser/save-file";
import { contextOf } from "@/lib/text/words";

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 24 * HOUR_SECONDS;
const LIFETIMES = [
  { value: HOUR_SECONDS, label: "1 hour" },
  { value: 8 * HOUR_SECONDS, label: "8 hours" },
  { value: DAY_SECONDS, label: "24 hours" },
  { value: 7 * DAY_SECONDS, label: "7 days" },
];

const WAYS: { value: Endpoint; label: string }[] = [
  { value: "proxy", label: "From anywhere" },
  { value: "direct", label: "On the server's machine" },
];

const MEANINGS: Record<Endpoint, string> = {
  proxy: "Goes through this server. When you revoke it, what is open under it ends within a second.",
  direct:
    "A certificate for the cluster's own address: it works only on the machine that the cluster runs on. When you revoke it, new calls are refused, but a watch that is open already goes on.",
};

/** Asks which way in and for how long, and saves a kubeconfig. */
export function AccessDownload({ cluster }: { cluster: Cluster }) {
  const quota = useQuery(queries.me()).data?.quota.max_ttl_seconds ?? DAY_SECONDS;
  const [endpoint, setEndpoint] = useState<Endpoint>("proxy");
  const [asked, setAsked] = useState(DAY_SECONDS);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const most = endpoint === "direct" ? DAY_SECONDS : quota;
  const lifetimes = LIFETIMES.filter(({ value }) => value <= most);
  const seconds = Math.min(asked, lifetimes.at(-1)?.value ?? most);

  const download = async () => {
    setBusy(true);
    setProblem(null);
    try {
      saveFile(await api.kubeconfig(cluster.id, endpoint, seconds), `${contextOf(cluster.name, endpoint)}.yaml`, "application/yaml");
    } catch (error) {
      setProblem(asProblem(error));
    }
    setBusy(false);
  };

  return (
    <div className="grid w-full gap-4">
      <Choice legend="Works" value={endpoint} options={WAYS} onChange={setEndpoint} hint={MEANINGS[endpoint]} />
      {lifetimes.length > 0 ? (
        <Choice legend="Valid for" value={seconds} options={lifetimes} onChange={setAsked} hint="It never outlives the cluster." />
      ) : null}
      {problem ? <Notice title={problem.title}>{problem.words}</Notice> : null}
      <div>
        <Button look="primary" disabled={busy} onClick={() => void download()}>
          <DownloadIcon />
          Download kubeconfig
        </Button>
      </div>
    </div>
  );
}
