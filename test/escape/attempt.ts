/** One way out that is tried: what happened, and which wall refused it. */

/** Who said no. `limit`: a bound on memory, time or disk held, and nobody else noticed. */
export type Wall =
  | 'admission'
  | 'engine'
  | 'WASI'
  | 'scheduler'
  | 'limit'
  | 'Landlock'
  | 'seccomp'
  | 'no_new_privs'
  | 'uid'
  | 'cgroup'
  | 'node';

export interface Outcome {
  /** For people, a few words: `ENOTCAPABLE`, `exit 137 OOMKilled`, … */
  readonly happened: string;
  /** Absent when nothing did: the attempt succeeded. */
  readonly wall?: Wall | undefined;
}

export interface Attempt<Where> {
  /** What it is aimed at: `paths`, `descriptors`, `memory`, … */
  readonly area: string;
  readonly name: string;
  /** Why it cannot be tried here; said in the table. */
  readonly skip?: string | false | undefined;
  readonly run: (where: Where) => Promise<Outcome>;
}

export interface Row {
  readonly area: string;
  readonly name: string;
  readonly happened: string;
  readonly wall: string;
  readonly verdict: 'refused' | 'ESCAPED' | 'skipped';
}

export function breach(happened: string): Outcome {
  return { happened };
}

export function refused(wall: Wall, happened: string): Outcome {
  return { happened, wall };
}

const ERRNO: Readonly<Record<number, string>> = {
  0: 'done',
  1: 'EPERM',
  2: 'ENOENT',
  3: 'ESRCH',
  9: 'EBADF',
  11: 'EAGAIN',
  12: 'ENOMEM',
  13: 'EACCES',
  14: 'EFAULT',
  17: 'EEXIST',
  18: 'EXDEV',
  19: 'ENODEV',
  20: 'ENOTDIR',
  22: 'EINVAL',
  38: 'ENOSYS',
  40: 'ELOOP',
  97: 'EAFNOSUPPORT',
  111: 'ECONNREFUSED',
};

/** `-13` → `EACCES`. */
export function errnoOf(result: number): string {
  return result >= 0 ? `${result}` : (ERRNO[-result] ?? `errno ${-result}`);
}
