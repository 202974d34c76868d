import { ButtonLink } from "@/components/ui/button";
import { InlineCommand } from "@/components/ui/command-line";
import { DownloadIcon } from "@/components/ui/icons";
import { fileUrl, type Cluster, type Failure } from "@/lib/api/client";
import { stripAnsi } from "@/lib/text/ansi";
import { adviceOf, docsLink, hasEvidence, isCancelled } from "@/lib/text/failure";
import { sentence } from "@/lib/text/sentence";

/** Why it failed, the lines that say so, and what to do. What somebody wanted is no alarm. */
export function FailurePanel({ cluster, failure }: { cluster: Cluster; failure: Failure }) {
  if (isCancelled(failure)) return <CancelledPanel failure={failure} />;
  return (
    <section aria-label="Why it failed" className="rounded-lg border border-bad-line bg-bad-soft px-5 py-4.5">
      <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-2">
        <h2 className="text-lg font-semibold">{sentence(failure.title).replace(/\.$/, "")}</h2>
        <code className="rounded-sm border border-bad-line px-1.5 py-0.5 font-mono text-xs text-muted">{failure.code}</code>
      </div>
      <p className="mt-1 max-w-[72ch] text-muted">{sentence(failure.cause)}</p>
      {failure.evidence.length > 0 ? (
        <ol aria-label="Lines of the log that say so" className="mt-3 overflow-x-auto rounded-lg border border-line bg-surface px-3.5 py-2.5 font-mono text-sm">
          {failure.evidence.map((line) => (
            <li key={line.seq} className="flex gap-4">
              <span className="w-16 shrink-0 text-faint">line {line.seq}</span>
              <span className="whitespace-pre-wrap">{stripAnsi(line.text)}</span>
            </li>
          ))}
        </ol>
      ) : null}
      <p className="mt-3 max-w-[72ch]">
        <span className="font-medium">What to do: </span>
        {sentence(adviceOf(failure))}
      </p>
      <div className="mt-3 flex flex-wrap items-center gap-x-4 gap-y-2 text-sm text-muted empty:hidden">
        {hasEvidence(cluster) ? (
          <ButtonLink size="sm" href={fileUrl.evidence(cluster.id)} download title="The log, the journals of the nodes and facts of the host, as a tar.gz">
            <DownloadIcon />
            Download evidence
          </ButtonLink>
        ) : null}
        {failure.docs ? <Docs docs={failure.docs} /> : null}
      </div>
    </section>
  );
}

function Docs({ docs }: { docs: string }) {
  const link = docsLink(docs);
  return (
    <span className="inline-flex flex-wrap items-center gap-x-1.5">
      Read on in{" "}
      {link ? (
        <a href={link} target="_blank" rel="noreferrer" className="text-accent underline underline-offset-2">
          the documentation
        </a>
      ) : (
        <InlineCommand command={docs} />
      )}
    </span>
  );
}

function CancelledPanel({ failure }: { failure: Failure }) {
  return (
    <section aria-label="Cancelled" className="rounded-lg border border-line bg-surface px-5 py-3.5">
      <h2 className="font-semibold">Cancelled</h2>
      <p className="mt-0.5 text-muted">
        {sentence(failure.cause)} Its log is below. Retry builds it again as it was asked for; Delete removes it.
      </p>
    </section>
  );
}
