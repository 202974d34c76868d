import type { Credential } from "@/lib/api/client";
import { coarse } from "./time";

const MINUTE = 60;

/** When a credential was used last. The server notes it to the minute; a certificate goes to the cluster without it. */
export function lastUse(credential: Credential, now: number): string {
  if (credential.endpoint === "direct") return "last use not known";
  if (credential.last_used_at === null) return "never used";
  const ago = (now - Date.parse(credential.last_used_at)) / 1000;
  return ago < MINUTE ? "used just now" : `used ${coarse(ago)} ago`;
}

const BROWSERS: [RegExp, string][] = [
  // The order counts: each of them also claims to be those below.
  [/\bEdg(?:A|iOS)?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\b(?:Firefox|FxiOS)\//, "Firefox"],
  // The server keeps 80 characters, so the word may be cut.
  [/\) (?:Headless)?C/, "Chrome"],
  [/\bSafari\//, "Safari"],
];
const SYSTEMS: [RegExp, string][] = [
  [/Windows/, "Windows"],
  [/Android/, "Android"],
  [/iPhone|iPad/, "iOS"],
  [/Macintosh/, "macOS"],
  [/Linux|X11/, "Linux"],
];

/** What a credential was made for: a browser by its name, a program as it calls itself. */
export function madeFor(name: string): string {
  if (!name.startsWith("Mozilla/5.0")) return name;
  const named = (table: [RegExp, string][]) => table.find(([pattern]) => pattern.test(name))?.[1];
  const system = named(SYSTEMS);
  return `${named(BROWSERS) ?? "A browser"}${system ? ` on ${system}` : ""}`;
}

/** The seconds until a credential ends: by its own time, or with its cluster. */
export function secondsUntilEnd(credential: Credential, clusterEnd: string | null, now: number): number {
  const end = Math.min(Date.parse(credential.expires_at), clusterEnd === null ? Infinity : Date.parse(clusterEnd));
  return (end - now) / 1000;
}
