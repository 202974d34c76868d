import type { Fact } from "@/lib/stream/cluster-history";
import { fine, when } from "./time";
import { phaseWord, STEPS } from "./words";

/** Changes of phase whose reason says more than the two phases. */
const PHASE_CHANGES: Partial<Record<string, string>> = {
  "paused PauseRequested": "Paused, as somebody asked",
  "paused Idle": "Paused, as nobody used it",
  "ready ResumeRequested": "Ready again, as somebody asked",
  "ready Used": "Ready again, as somebody used it",
  "ready Resumed": "Ready again, goes on where it was",
  "provisioning ClaimedFromPool": "Being handed over from the pool",
  "ready ClaimedFromPool": "Ready, handed over from the pool",
};

/** What an event says, as a sentence. */
export function describeFact(fact: Fact): string {
  switch (fact.type) {
    case "created":
      return `Asked for by ${fact.data.cluster.owner}, from the template ${fact.data.cluster.template}`;
    case "phase_changed":
      return PHASE_CHANGES[`${fact.data.to} ${fact.data.reason}`] ?? `${phaseWord(fact.data.to)}, was ${phaseWord(fact.data.from).toLowerCase()} (${fact.data.reason})`;
    case "condition_changed": {
      const { type, status, reason, message } = fact.data.condition;
      return `${type} is ${status}: ${message || reason}`;
    }
    case "queued":
      return `Waits, number ${fact.data.position} of ${fact.data.size}: ${fact.data.reason}`;
    case "step_started":
      return `${STEPS[fact.data.step].title} began, step ${fact.data.index} of ${fact.data.total}`;
    case "step_finished":
      return `${STEPS[fact.data.step].title} ${fact.data.outcome === "succeeded" ? "took" : "failed after"} ${fine(fact.data.duration_seconds)}`;
    case "log_truncated":
      return `The log reached its cap of ${Math.round(fact.data.cap_bytes / 1024 / 1024)} MiB; later lines are not kept`;
    case "log_expired":
      return `The lines ${fact.data.from} to ${fact.data.to} of the log are no longer kept`;
    case "lease_extended":
      return `Lives until ${when(fact.data.expires_at)}`;
    case "lease_expiring":
      return `Will be deleted at ${when(fact.data.expires_at)}`;
    case "claimed_from_pool":
      return "Taken from the pool, built before it was asked for";
    case "credential_issued":
      return fact.data.endpoint === "proxy" ? `A credential was given to ${fact.data.by}` : `A certificate was given to ${fact.data.by}`;
    case "credential_revoked":
      return "A credential was revoked";
    case "images_loaded":
      return `${fact.data.by} brought in ${fact.data.names.join(", ") || "images without a name"}`;
    case "failure_explained":
      return fact.data.title;
    case "attempt_started":
      return `Attempt ${fact.data.attempt} began`;
    case "note":
      return fact.data.text;
    default:
      return unknownFact(fact);
  }
}

/** A newer server may say what this page has no words for. */
function unknownFact(fact: never): string {
  return (fact as { type: string }).type;
}
