/** Takes out of answers what two servers cannot have in common: ids, times, versions, what is made at random. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const AGE = /^(\d+[smhdy])+$/;
const RANDOM = ['kube-api-access', 'made'];

export function normalised(value: unknown, key = ''): unknown {
  // Sorted by the second in which they wrote, which is the tests' pace and not the server's doing.
  if (key === 'managedFields' && Array.isArray(value)) {
    return value.map((item) => normalised(item)).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  if (Array.isArray(value)) return value.map((item) => normalised(item, key === 'cells' ? 'cell' : ''));
  if (typeof value === 'string') return normalisedText(value, key);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, item]) => [normalisedName(name), normalised(item, name)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function normalisedName(name: string): string {
  return RANDOM.reduce((text, prefix) => text.replace(new RegExp(`${prefix}-[a-z0-9]{5}\\b`), `${prefix}-*`), name);
}

function normalisedText(text: string, key: string): string {
  if (key === 'uid') return '<uid>';
  if (key === 'resourceVersion') return '<version>';
  if (key === 'continue') return '<continue>';
  if (TIME.test(text)) return '<time>';
  if (key === 'cell' && AGE.test(text)) return '<age>';
  return normalisedName(text);
}

export interface Difference {
  /** `metadata.labels.a`. */
  readonly at: string;
  readonly real: unknown;
  readonly ours: unknown;
}

/** Every place where two normalised values differ. */
export function differences(real: unknown, ours: unknown, at = ''): Difference[] {
  if (Array.isArray(real) && Array.isArray(ours)) {
    const length = Math.max(real.length, ours.length);
    return Array.from({ length }, (_, index) => differences(real[index], ours[index], `${at}[${index}]`)).flat();
  }
  if (isObject(real) && isObject(ours)) {
    const keys = [...new Set([...Object.keys(real), ...Object.keys(ours)])];
    return keys.flatMap((key) => differences(real[key], ours[key], at === '' ? key : `${at}.${key}`));
  }
  return real === ours ? [] : [{ at, real, ours }];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
