/** JSON values: what patches take apart and put together. */
export type Fields = Record<string, unknown>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Equal as JSON: the order of keys does not count, the order of lists does. */
export function deepEqual(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => deepEqual(item, right[index]));
  }
  if (!isFields(left) || !isFields(right)) return false;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every((key) => Object.hasOwn(right, key) && deepEqual(left[key], right[key]));
}

/** An object from entries, in which `__proto__` is a key like any other. */
export function fromEntries(entries: Iterable<readonly [string, unknown]>): Fields {
  return Object.fromEntries(entries) as Fields;
}

/** As Go's `%v` prints it, which some of the API server's messages carry: `map[image:x name:y]`. Bounded. */
export function goText(value: unknown, depth = 0): string {
  if (depth > 20) return '...';
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map((item) => goText(item, depth + 1)).join(' ')}]`.slice(0, 4000);
  if (!isFields(value)) return String(value).slice(0, 4000);
  const keys = Object.keys(value).sort();
  return `map[${keys.map((key) => `${key}:${goText(value[key], depth + 1)}`).join(' ')}]`.slice(0, 4000);
}
