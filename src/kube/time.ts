/** Kubernetes' two forms of time. Source: apimachinery `pkg/apis/meta/v1/{time,micro_time}.go`. Milliseconds since the epoch inside. */

/** `2026-01-02T03:04:05Z`: metav1.Time, seconds. */
export function toTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** `2026-01-02T03:04:05.678000Z`: metav1.MicroTime, as leases and events have it. */
export function toMicroTime(ms: number): string {
  const micros = Math.round((ms - Math.floor(ms)) * 1000) % 1000;
  return `${new Date(Math.floor(ms)).toISOString().slice(0, 23)}${String(micros).padStart(3, '0')}Z`;
}

const RFC_3339 = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d{1,12})?([Zz]|[+-]\d\d:\d\d)$/;

/** Milliseconds of an RFC 3339 time, with a fraction where it is finer; undefined for anything else. */
export function fromTime(text: string | undefined): number | undefined {
  const match = RFC_3339.exec(text ?? '');
  if (match === null) return undefined;
  const [, day = '', time = '', fraction = '', zone = ''] = match;
  const whole = Date.parse(`${day}T${time}${zone.toUpperCase()}`);
  return Number.isNaN(whole) ? undefined : whole + Number(`0${fraction}`) * 1000;
}
