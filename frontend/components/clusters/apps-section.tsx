"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { InlineCommand } from "@/components/ui/command-line";
import { Dialog } from "@/components/ui/dialog";
import { inputClasses } from "@/components/ui/field";
import { Notice } from "@/components/ui/notice";
import { api, type App, type Cluster } from "@/lib/api/client";
import { asProblem, type ApiProblem } from "@/lib/api/problem";
import { keys, queries } from "@/lib/api/queries";
import { copyText } from "@/lib/browser/clipboard";
import { classes } from "@/lib/text/classes";
import { PublishForm } from "./publish-form";
import { Section } from "./section";

const HOUR = 3600;
const LIFETIMES = [
  { seconds: HOUR, label: "1 hour" },
  { seconds: 8 * HOUR, label: "8 hours" },
  { seconds: 24 * HOUR, label: "1 day" },
  { seconds: 7 * 24 * HOUR, label: "7 days" },
];

export function AppsSection({ cluster }: { cluster: Cluster }) {
  const apps = useQuery(queries.apps(cluster.id));
  return (
    <Section
      title="Published apps"
      note="Ports of services and pods with a URL of their own. An app is private: it opens only for who has a link, until the link ends or you end it."
    >
      {apps.isError ? <Notice title="The apps could not be read">{asProblem(apps.error).words}</Notice> : null}
      {apps.data && apps.data.length > 0 ? (
        <ul aria-label="Published apps" className="w-full overflow-hidden rounded-lg border border-line bg-surface">
          {apps.data.map((app) => (
            <AppRow key={app.id} cluster={cluster} app={app} />
          ))}
        </ul>
      ) : null}
      <PublishForm cluster={cluster} />
      <p className="text-sm text-faint">
        From a shell <InlineCommand command={`pyk8s apps publish ${cluster.name} SERVICE PORT --link 1h`} />
      </p>
    </Section>
  );
}

type Step = "end-links" | "unpublish";

function AppRow({ cluster, app }: { cluster: Cluster; app: App }) {
  const [lifetime, setLifetime] = useState(HOUR);
  const [said, setSaid] = useState<string | null>(null);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const [step, setStep] = useState<Step | null>(null);

  const attempt = async (act: () => Promise<string | null>) => {
    setProblem(null);
    setSaid(null);
    try {
      setSaid(await act());
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  const open = () => {
    // Opened at once, while the click still counts; a window that comes after an answer is blocked.
    const tab = window.open("about:blank", "_blank");
    if (tab) tab.opener = null;
    void attempt(async () => {
      try {
        const link = await api.linkApp(cluster.id, app.id, HOUR);
        if (!tab) return "The browser opened no tab: allow it for this page.";
        tab.location.replace(link.url);
        return null;
      } catch (error) {
        tab?.close();
        throw error;
      }
    });
  };
  const copy = () =>
    void attempt(async () => {
      const link = await api.linkApp(cluster.id, app.id, lifetime);
      const until = new Date(link.expires_at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
      return (await copyText(link.url)) ? `Copied. Whoever has it gets in until ${until}.` : `Copy it: ${link.url}`;
    });

  return (
    <li className="grid gap-2 border-b border-line px-4 py-3 last:border-b-0">
      <div className="min-w-0">
        <span className="block font-medium">{app.name}</span>
        <span className="block truncate font-mono text-sm text-muted">{app.url.replace(/^https?:\/\//, "")}</span>
        <span className="block text-sm text-faint">
          {app.kind} {app.namespace}/{app.target}, port {app.port}
        </span>
      </div>
      <div className="flex flex-wrap items-center gap-2">
        <Button size="sm" onClick={open} aria-label={`Open ${app.name}`}>
          Open
        </Button>
        <Button size="sm" onClick={copy} aria-label={`Copy a link to ${app.name}`}>
          Copy link
        </Button>
        <select
          aria-label={`How long a link to ${app.name} is good`}
          value={lifetime}
          onChange={(event) => setLifetime(Number(event.target.value))}
          className={classes(inputClasses, "h-7! w-auto! px-2! text-sm!")}
        >
          {LIFETIMES.map(({ seconds, label }) => (
            <option key={seconds} value={seconds}>
              for {label}
            </option>
          ))}
        </select>
        <span className="grow" />
        <Button size="sm" look="ghost" onClick={() => setStep("end-links")} aria-label={`End links of ${app.name}`}>
          End links
        </Button>
        <Button size="sm" look="danger" onClick={() => setStep("unpublish")} aria-label={`Unpublish ${app.name}`}>
          Unpublish
        </Button>
      </div>
      {said ? (
        <p role="status" className="text-sm break-all text-muted">
          {said}
        </p>
      ) : null}
      {problem ? <Notice title={problem.title}>{problem.words}</Notice> : null}
      {step ? <SecondStep cluster={cluster} app={app} step={step} onClose={() => setStep(null)} onDone={setSaid} /> : null}
    </li>
  );
}

interface SecondStepProps {
  cluster: Cluster;
  app: App;
  step: Step;
  onClose: () => void;
  onDone: (said: string) => void;
}

function SecondStep({ cluster, app, step, onClose, onDone }: SecondStepProps) {
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const isEnd = step === "end-links";
  const act = async () => {
    setBusy(true);
    try {
      await (isEnd ? api.endAppLinks(cluster.id, app.id) : api.unpublishApp(cluster.id, app.id));
      onDone("All its links have ended.");
      onClose();
      await client.invalidateQueries({ queryKey: keys.apps(cluster.id) });
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={isEnd ? `End all links of ${app.name}?` : `Unpublish ${app.name}?`} onClose={onClose}>
      <div className="grid gap-4 px-6 pt-2 pb-5">
        <p className="text-muted">
          {isEnd
            ? "Whoever has it open is cut off now, and the links open nothing any more. The app keeps its URL; new links work."
            : "Its URL stops working, and whoever has it open is cut off now. What runs in the cluster stays."}
        </p>
        <p className="text-sm text-faint">
          From a shell <InlineCommand command={`pyk8s apps ${step} ${cluster.name} ${app.name}`} />
        </p>
        {problem ? <Notice title={problem.title}>{problem.words}</Notice> : null}
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={onClose} data-autofocus>
            Keep {isEnd ? "them" : "it"}
          </Button>
          <Button look="danger-solid" disabled={busy} onClick={() => void act()}>
            {isEnd ? "End links" : "Unpublish"}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
