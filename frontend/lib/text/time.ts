const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Seconds between two instants, never negative. */
export function secondsBetween(from: string, to: string | number): number {
  return Math.max(0, (new Date(to).getTime() - Date.parse(from)) / 1000);
}

/** "6 s", "18 min", "1 h 12 min", "3 d 4 h": for ages and leases. */
export function coarse(seconds: number): string {
  if (seconds < MINUTE) return `${Math.floor(seconds)} s`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min`;
  if (seconds < DAY) return two(Math.floor(seconds / HOUR), "h", Math.floor((seconds % HOUR) / MINUTE), "min");
  return two(Math.floor(seconds / DAY), "d", Math.floor((seconds % DAY) / HOUR), "h");
}

/** "0.3 s", "24.6 s", "2 min 5 s": for what a machine took. */
export function fine(seconds: number): string {
  // Rounded first: 59.96 s is a minute, not "60.0 s".
  if (Math.round(seconds * 10) < MINUTE * 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return two(Math.floor(whole / MINUTE), "min", whole % MINUTE, "s");
}

function two(first: number, firstUnit: string, second: number, secondUnit: string): string {
  return second === 0 ? `${first} ${firstUnit}` : `${first} ${firstUnit} ${second} ${secondUnit}`;
}

interface Lease {
  expires_at: string;
  ready_at: string | null;
  ttl_seconds: number;
}

/** How long a lease is as a whole, with what it was made longer by. */
export function leaseSeconds(lease: Lease): number {
  return lease.ready_at ? secondsBetween(lease.ready_at, lease.expires_at) : lease.ttl_seconds;
}

/** How long a lease still runs. A clock that is behind must not show more than there was. */
export function secondsLeft(lease: Lease, now: number): number {
  return Math.min(leaseSeconds(lease), (Date.parse(lease.expires_at) - now) / 1000);
}

/** What is left of a lease, rounded up so that "0 min" never lies about a living cluster. */
export function left(seconds: number): string {
  if (seconds <= 0) return "now";
  return seconds < MINUTE ? `${Math.ceil(seconds)} s` : coarse(Math.ceil(seconds / MINUTE) * MINUTE);
}

/** A date and time of day as this reader writes it. */
export function when(instant: string): string {
  return new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(new Date(instant));
}

export function timeOfDay(instant: string): string {
  return new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false }).format(
    new Date(instant),
  );
}
