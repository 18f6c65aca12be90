/** Standard streams: what the guest reads from a source that is pulled only on demand, and writes to a sink that may make it wait. */
import type { Sink } from '../contract.ts';
import { type Buffers, FILETYPE, gather, lengthOf, type Readiness, RIGHTS, type WaitOptions } from './descriptor.ts';
import { ERRNO, errnoOfNodeError, fail } from './errno.ts';
import { SequentialDescriptor } from './sequential.ts';

abstract class Stream extends SequentialDescriptor {
  readonly filetype: number;
  readonly rights: bigint;
  readonly inheriting: bigint;

  constructor(rights: bigint, terminal: boolean) {
    super();
    this.rights = rights;
    this.inheriting = rights;
    this.filetype = terminal ? FILETYPE.CHARACTER_DEVICE : FILETYPE.UNKNOWN;
  }
}

export class InputStream extends Stream {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array();
  #ended = false;
  #failed: number | undefined;
  #pulling: Promise<void> | undefined;

  constructor(source: AsyncIterable<Uint8Array> | Uint8Array | undefined, terminal = false) {
    super(RIGHTS.FD_READ | RIGHTS.POLL_FD_READWRITE, terminal);
    this.#iterator = iteratorOf(source);
    if (source === undefined || source instanceof Uint8Array) {
      this.#chunk = source ?? this.#chunk;
      this.#ended = true;
    }
  }

  override read(buffers: Buffers): number | Promise<number> {
    if (lengthOf(buffers) === 0) return 0;
    if (this.#ready()) return this.#take(buffers);
    if (this.nonBlocking) {
      void this.#pull();
      throw fail('AGAIN');
    }
    // With threads another reader may have been there first, which is no end of the stream.
    return this.#pull().then(() => (this.#ready() ? this.#take(buffers) : this.read(buffers)));
  }

  override readable(): Readiness | undefined {
    if (!this.#ready()) return undefined;
    return { bytes: this.#chunk.byteLength, hangup: this.#chunk.byteLength === 0 };
  }

  override waitReadable(): Promise<void> {
    return this.#pull();
  }

  override async close(): Promise<void> {
    // Not awaited: a source that waits for a person would hold the guest's end.
    void this.#iterator.return?.().catch(() => {});
  }

  #ready(): boolean {
    return this.#chunk.byteLength > 0 || this.#ended || this.#failed !== undefined;
  }

  #take(buffers: Buffers): number {
    if (this.#chunk.byteLength === 0 && this.#failed !== undefined) throw fail(this.#failed);
    let moved = 0;
    for (const buffer of buffers) {
      const part = this.#chunk.subarray(0, buffer.byteLength);
      buffer.set(part);
      this.#chunk = this.#chunk.subarray(part.byteLength);
      moved += part.byteLength;
    }
    return moved;
  }

  /** One pull at a time; empty chunks are no end of file. */
  #pull(): Promise<void> {
    this.#pulling ??= this.#next().finally(() => {
      this.#pulling = undefined;
    });
    return this.#pulling;
  }

  async #next(): Promise<void> {
    try {
      while (!this.#ready()) {
        const { done, value } = await this.#iterator.next();
        if (done) this.#ended = true;
        else this.#chunk = typeof value === 'string' ? Buffer.from(value) : value;
      }
    } catch (error) {
      this.#failed = errnoOfNodeError(error) ?? ERRNO.IO;
    }
  }
}

function iteratorOf(source: AsyncIterable<Uint8Array> | Uint8Array | undefined): AsyncIterator<Uint8Array> {
  if (source !== undefined && !(source instanceof Uint8Array)) return source[Symbol.asyncIterator]();
  return { next: async () => ({ done: true, value: undefined }) };
}

export class OutputStream extends Stream {
  readonly #sink: Sink;
  readonly #count: (bytes: number) => void;

  constructor(
    sink: Sink | undefined,
    { terminal = false, count }: { terminal?: boolean; count: (bytes: number) => void },
  ) {
    super(RIGHTS.FD_WRITE | RIGHTS.POLL_FD_READWRITE, terminal);
    this.#sink = sink ?? (() => {});
    this.#count = count;
  }

  override write(buffers: Buffers): number | Promise<number> {
    const bytes = gather(buffers);
    if (bytes.byteLength === 0) return 0;
    try {
      const done = this.#sink(bytes);
      this.#count(bytes.byteLength);
      return done === undefined ? bytes.byteLength : done.then(() => bytes.byteLength, refused);
    } catch (error) {
      return refused(error);
    }
  }

  /** A sink says nothing of its room: a write waits in the write. */
  override writable(): Readiness {
    return { bytes: 65_536, hangup: false };
  }

  override async waitWritable(_options: WaitOptions): Promise<void> {}
}

function refused(error: unknown): never {
  throw fail(errnoOfNodeError(error) === ERRNO.PIPE ? 'PIPE' : 'IO');
}
