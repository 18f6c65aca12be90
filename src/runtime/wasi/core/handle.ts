/**
 * A descriptor of the host's that stands behind one of a guest's, and the mount that it is on. It is closed when nobody uses it any
 * more: its number is another file's after that, and a call on another thread may still be on its way.
 */
import { CROSSES, closeDescriptor, LEAVES, type Mount, mountOf, type Result, releaseMount } from '#kit/os';
import { BLOCKING, type Blocking, type BlockingName } from './blocking.ts';
import { errnoFromLinux, fail, type WasiErrno } from './errno.ts';
import type { Maybe } from './maybe.ts';
import { offload } from './offload.ts';

export class Handle {
  readonly fd: number;
  readonly mount: Mount;
  readonly #counted: boolean;
  #users = 0;
  #closed = false;

  /** `mount` is that of the directory in which it was opened without leaving the mount; else it is found. */
  constructor(fd: number, mount?: Mount) {
    this.fd = fd;
    this.#counted = mount === undefined;
    this.mount = mount ?? mountOf(fd);
  }

  /** Whether calls on it may be made on this thread. */
  get local(): boolean {
    return this.mount.local;
  }

  /** Makes a call on what the descriptor stands for: here, or on a helper thread where it may have to wait for others. */
  call<Name extends BlockingName>(call: Name, ...args: Parameters<Blocking[Name]>): Maybe<ReturnType<Blocking[Name]>> {
    if (!this.local) return this.away(call, ...args);
    return (BLOCKING[call] as (...args: unknown[]) => ReturnType<Blocking[Name]>)(...args);
  }

  /** A call whose first argument is a path: on a helper thread where it leads into another mount. Throws what it failed with. */
  crossing<Name extends BlockingName>(
    call: Name,
    at: { readonly cross: boolean },
    rest: readonly unknown[],
  ): Maybe<ReturnType<Blocking[Name]>> {
    if (this.local) {
      const result = (BLOCKING[call] as (...args: unknown[]) => ReturnType<Blocking[Name]>)(at, ...rest);
      if (result !== CROSSES) return passed(result);
    }
    const args = [{ ...at, cross: true }, ...rest] as unknown as Parameters<Blocking[Name]>;
    return this.away(call, ...args).then(passed);
  }

  /** Makes a call on a helper thread; the descriptor stays open until it has returned, whether somebody still waits or not. */
  away<Name extends BlockingName>(
    call: Name,
    ...args: Parameters<Blocking[Name]>
  ): Promise<ReturnType<Blocking[Name]>> {
    return this.during(offload.run(call, args, { lane: this.mount.id }));
  }

  /** Holds the descriptor open until the promise is settled. */
  async during<T>(call: Promise<T>): Promise<T> {
    this.#users++;
    try {
      return await call;
    } finally {
      this.#users--;
      if (this.#closed && this.#users === 0) void this.#release()?.catch(() => {});
    }
  }

  /** Repeating it does nothing. What a foreign file system says of a close is worth waiting for: it may be that a write was lost. */
  close(): undefined | Promise<Result> {
    if (this.#closed) return undefined;
    this.#closed = true;
    return this.#users === 0 ? this.#release() : undefined;
  }

  #release(): undefined | Promise<Result> {
    if (this.#counted) releaseMount(this.mount);
    if (!this.local) return offload.run('closeDescriptor', [this.fd], { lane: this.mount.id });
    closeDescriptor(this.fd);
    return undefined;
  }
}

/** Passes a result on that is no error. */
export function passed<T>(result: T): T {
  if (typeof result === 'number' && result < 0) throw pathError(result);
  return result;
}

/** A path that leaves its directory is EPERM, as programs know it. */
export function pathError(result: number): WasiErrno {
  return fail(result === LEAVES ? 'PERM' : errnoFromLinux(-result));
}
