const FIRST_CAP_MS = 500;
const LAST_CAP_MS = 30_000;

/** How long to wait before try number `attempt` (from 1): anything up to a cap that doubles, so that a thousand pages do not come back at once. */
export function backoff(attempt: number, random: () => number): number {
  const cap = Math.min(LAST_CAP_MS, FIRST_CAP_MS * 2 ** Math.min(attempt - 1, 20));
  return Math.round(random() * cap);
}
