/** Ages as people read them: `5m30s`, `2d4h`. Source: apimachinery `pkg/util/duration/duration.go`. */
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

export function humanDuration(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 2 * MINUTE) return `${seconds}s`;
  if (seconds < 10 * MINUTE) return pair(seconds, { large: MINUTE, small: 1, units: 'ms' });
  if (seconds < 3 * HOUR) return `${whole(seconds, MINUTE)}m`;
  if (seconds < 8 * HOUR) return pair(seconds, { large: HOUR, small: MINUTE, units: 'hm' });
  if (seconds < 2 * DAY) return `${whole(seconds, HOUR)}h`;
  if (seconds < 8 * DAY) return pair(seconds, { large: DAY, small: HOUR, units: 'dh' });
  if (seconds < 2 * YEAR) return `${whole(seconds, DAY)}d`;
  if (seconds < 8 * YEAR) return pair(seconds, { large: YEAR, small: DAY, units: 'yd' });
  return `${whole(seconds, YEAR)}y`;
}

function whole(seconds: number, unit: number): number {
  return Math.trunc(seconds / unit);
}

function pair(seconds: number, { large, small, units }: { large: number; small: number; units: string }): string {
  const rest = whole(seconds % large, small);
  return `${whole(seconds, large)}${units[0]}${rest === 0 ? '' : `${rest}${units[1]}`}`;
}

/** `<unknown>` for a time that is not there. */
export function ageOf(time: unknown, now: number): string {
  const at = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  return Number.isNaN(at) ? '<unknown>' : humanDuration(now - at);
}
