/** What is there at once most of the time, and else after a wait: promises cost too much for calls that guests make in loops. */
export type Maybe<T> = T | Promise<T>;

/** Goes on with the value, now or after the wait. */
export function then<T, U>(value: Maybe<T>, next: (value: T) => Maybe<U>): Maybe<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}
