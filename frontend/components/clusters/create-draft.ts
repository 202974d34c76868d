import type { CreateCluster, Template } from "@/lib/api/client";

/** What somebody has put into the form. Null: as the template says. */
export interface Draft {
  name: string;
  template: string | null;
  workers: number | null;
  ttlSeconds: number | null;
  kubernetesVersion: string;
  labels: string;
  simulate: string | null;
}

export function emptyDraft(name: string): Draft {
  return { name, template: null, workers: null, ttlSeconds: null, kubernetesVersion: "", labels: "", simulate: null };
}

/** "team=payments, branch=1432" as pairs; a word without "=" is a label without a value. */
export function parseLabels(text: string): Record<string, string> {
  const pairs = text
    .split(/[,\n]/)
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "")
    .map((pair): [string, string] => {
      const at = pair.indexOf("=");
      return at === -1 ? [pair, ""] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    });
  return Object.fromEntries(pairs);
}

function labelsOf(draft: Draft): Record<string, string> {
  return { ...parseLabels(draft.labels), ...(draft.simulate ? { simulate: draft.simulate } : {}) };
}

/** The body of the request: only what differs from the template. */
export function requestOf(draft: Draft, template: Template): CreateCluster {
  const version = draft.kubernetesVersion.trim();
  return {
    name: draft.name,
    template: template.name,
    labels: labelsOf(draft),
    ...(draft.workers !== null && draft.workers !== template.workers ? { workers: draft.workers } : {}),
    ...(draft.ttlSeconds === null ? {} : { ttl_seconds: draft.ttlSeconds }),
    ...(version === "" ? {} : { kubernetes_version: version }),
  };
}

/** The same wish for a shell. */
export function commandOf(draft: Draft, template: Template): string {
  const words = ["pyk8s create", draft.name];
  if (!template.is_default) words.push(`--template ${template.name}`);
  if (draft.workers !== null && draft.workers !== template.workers) words.push(`--workers ${draft.workers}`);
  if (draft.ttlSeconds !== null && draft.ttlSeconds !== template.ttl_seconds) words.push(`--ttl ${shortDuration(draft.ttlSeconds)}`);
  const version = draft.kubernetesVersion.trim();
  if (version !== "") words.push(`--kubernetes-version ${quoted(version)}`);
  for (const [key, value] of Object.entries(labelsOf(draft))) words.push(`--label ${quoted(`${key}=${value}`)}`);
  return words.join(" ");
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w./:=@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

export function shortDuration(seconds: number): string {
  if (seconds % 86_400 === 0) return `${seconds / 86_400}d`;
  if (seconds % 3600 === 0) return `${seconds / 3600}h`;
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}
