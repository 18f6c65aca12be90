/**
 * Shapes of messages: small functions that pass a value on when it fits and throw a `ShapeError` when it does not.
 * Strict: an unknown property does not fit, every text and list has a bound. What crosses the process boundary is
 * hostile in both directions, so nothing is cast.
 */
export type Shape<T> = (value: unknown, where: string) => T;
export type Shaped<S> = S extends Shape<infer T> ? T : never;

export class ShapeError extends Error {
  override readonly name = 'ShapeError';
}

function refuse(where: string, wanted: string): never {
  throw new ShapeError(`'${where}' is not ${wanted}`);
}

export function text({ max, pattern }: { readonly max: number; readonly pattern?: RegExp }): Shape<string> {
  return (value, where) => {
    if (typeof value !== 'string' || value.length > max) return refuse(where, `a text of at most ${max} characters`);
    if (pattern !== undefined && !pattern.test(value)) return refuse(where, `in the form ${pattern.source}`);
    return value;
  };
}

export function integer(min = 0, max = Number.MAX_SAFE_INTEGER): Shape<number> {
  return (value, where) =>
    Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
      ? (value as number)
      : refuse(where, `a whole number from ${min} to ${max}`);
}

export const flag: Shape<boolean> = (value, where) =>
  typeof value === 'boolean' ? value : refuse(where, 'true or false');

export function oneOf<const T extends string>(...choices: readonly T[]): Shape<T> {
  return (value, where) => choices.find((choice) => choice === value) ?? refuse(where, `one of ${choices.join(', ')}`);
}

export function list<T>(item: Shape<T>, max: number): Shape<readonly T[]> {
  return (value, where) => {
    if (!Array.isArray(value) || value.length > max) return refuse(where, `a list of at most ${max}`);
    return value.map((each, at) => item(each, `${where}[${at}]`));
  };
}

export function pair<A, B>(first: Shape<A>, second: Shape<B>): Shape<readonly [A, B]> {
  return (value, where) => {
    if (!Array.isArray(value) || value.length !== 2) return refuse(where, 'a pair');
    return [first(value[0], `${where}[0]`), second(value[1], `${where}[1]`)];
  };
}

interface Optional<T> {
  readonly optional: Shape<T>;
}

export function optional<T>(shape: Shape<T>): Optional<T> {
  return { optional: shape };
}

type Fields = Readonly<Record<string, Shape<unknown> | Optional<unknown>>>;
type FieldsOf<F extends Fields> = {
  readonly [K in keyof F as F[K] extends Optional<unknown> ? never : K]: F[K] extends Shape<infer T> ? T : never;
} & {
  readonly [K in keyof F as F[K] extends Optional<unknown> ? K : never]?: F[K] extends Optional<infer T>
    ? T | undefined
    : never;
};

/** An object with these properties; others refuse it unless it is `open` (what a newer neighbour says before versions are agreed). */
export function record<F extends Fields>(fields: F, { open = false } = {}): Shape<FieldsOf<F>> {
  return (value, where) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(where, 'an object');
    const given = value as Readonly<Record<string, unknown>>;
    const result: Record<string, unknown> = {};
    for (const [name, shape] of Object.entries(fields)) {
      const present = Object.hasOwn(given, name);
      if (typeof shape === 'function') result[name] = shape(present ? given[name] : undefined, `${where}.${name}`);
      else if (present) result[name] = shape.optional(given[name], `${where}.${name}`);
    }
    if (!open)
      for (const name of Object.keys(given)) if (!Object.hasOwn(fields, name)) refuse(`${where}.${name}`, 'known here');
    return result as FieldsOf<F>;
  };
}

/** Chooses the shape by the value of one property. */
export function tagged<const C extends Readonly<Record<string, Shape<unknown>>>>(
  tag: string,
  cases: C,
): Shape<{ [K in keyof C]: Shaped<C[K]> }[keyof C]> {
  return (value, where) => {
    const name = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[tag] : undefined;
    const shape = typeof name === 'string' && Object.hasOwn(cases, name) ? cases[name] : undefined;
    if (shape === undefined) return refuse(`${where}.${tag}`, `one of ${Object.keys(cases).join(', ')}`);
    return shape(value, where) as { [K in keyof C]: Shaped<C[K]> }[keyof C];
  };
}
