/**
 * Containers' output for `kubectl logs`: from the CRI files that sandboxes write, through rotation, as long as somebody
 * follows. Source: Kubernetes `cri-client/pkg/logs/logs.go` ReadLogs.
 */
import { dirname } from 'node:path';
import type { Clock } from '#kit';
import { fromTime } from '#kube';
import { type OpenFile, openLog, rotatedOf } from './file.ts';
import { EntrySplitter, parseLine } from './lines.ts';
import { tailStart } from './tail.ts';
import { changesOf } from './watch.ts';

export interface LogFiles {
  /** The tenant's directory: nothing outside of it is read. */
  readonly root: string;
  readonly path: string;
  /** Whether more can come. */
  isLive(): boolean;
}

export interface LogOptions extends LogFiles {
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number | undefined;
  readonly limitBytes?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly since?: number | undefined;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

const BLOCK = 64 * 1024;
const NEWLINE = Buffer.from('\n');

/** Blocks of output, in order; ends when there is no more and, for a follower, none can come. */
export async function* readLogs(options: LogOptions): AsyncIterable<Uint8Array> {
  const format = new Format(options);
  const { path, root, signal } = options;
  const files = [...rotatedOf(root, path), path];
  const start = await startOf(root, files, options.tailLines);
  for (const [at, name] of files.entries()) {
    if (at < start.file || signal.aborted) continue;
    const file = await openLog(root, name);
    if (file === undefined) continue;
    await using one = file;
    const from = at === start.file ? start.offset : 0;
    const isLast = at === files.length - 1;
    if (isLast && options.follow) return yield* follow(one, { from, format, options });
    const splitter = new EntrySplitter();
    for await (const block of blocks(one, { from, signal })) {
      yield* format.take(splitter.push(block.bytes));
      if (format.full) return;
    }
  }
}

async function startOf(
  root: string,
  files: readonly string[],
  tailLines: number | undefined,
): Promise<{ file: number; offset: number }> {
  if (tailLines === undefined) return { file: 0, offset: 0 };
  let wanted = tailLines;
  for (let at = files.length - 1; at >= 0; at--) {
    const file = await openLog(root, files[at] ?? '');
    if (file === undefined) continue;
    await using one = file;
    const { offset, lines } = await tailStart(one, wanted);
    wanted -= lines;
    if (wanted <= 0 || at === 0) return { file: at, offset };
  }
  return { file: 0, offset: 0 };
}

interface Block {
  readonly bytes: Buffer;
  /** Where the next one begins. */
  readonly next: number;
}

async function* blocks(file: OpenFile, { from, signal }: { from: number; signal: AbortSignal }): AsyncGenerator<Block> {
  let position = from;
  while (!signal.aborted) {
    // A block that was yielded may still be on its way out: each has a buffer of its own.
    const bytes = await file.read(Buffer.allocUnsafe(BLOCK), position);
    if (bytes.length === 0) return;
    position += bytes.length;
    yield { bytes, next: position };
  }
}

interface Following {
  readonly from: number;
  readonly format: Format;
  readonly options: LogOptions;
}

async function* follow(first: OpenFile, { from, format, options }: Following): AsyncGenerator<Uint8Array> {
  const { path, root, signal, clock } = options;
  using changes = changesOf({ root, directory: dirname(path) }, { clock, signal });
  let file = first;
  let position = from;
  let splitter = new EntrySplitter();
  try {
    while (!signal.aborted) {
      // Asked before reading: what was written before the end is read in any case.
      const live = options.isLive();
      for await (const { bytes, next } of blocks(file, { from: position, signal })) {
        position = next;
        yield* format.take(splitter.push(bytes));
        if (format.full) return;
      }
      const newer = await replacement(root, { path, inode: file.inode });
      if (newer !== undefined) {
        // The old one may have had a last write between our read and its new name.
        for await (const { bytes } of blocks(file, { from: position, signal }))
          yield* format.take(splitter.push(bytes));
        if (file !== first) await file[Symbol.asyncDispose]();
        [file, position, splitter] = [newer, 0, new EntrySplitter()];
        continue;
      }
      if (!live) return;
      await changes.next();
    }
  } finally {
    if (file !== first) await file[Symbol.asyncDispose]();
  }
}

async function replacement(
  root: string,
  { path, inode }: { path: string; inode: number },
): Promise<OpenFile | undefined> {
  const now = await openLog(root, path);
  if (now === undefined || now.inode !== inode) return now;
  await now[Symbol.asyncDispose]();
  return undefined;
}

/** Entries as the API sends them: text, with times where asked for, up to the limit. */
class Format {
  readonly #timestamps: boolean;
  readonly #since: number | undefined;
  #left: number;
  #midLine = false;

  constructor({ timestamps, since, limitBytes }: LogOptions) {
    this.#timestamps = timestamps;
    this.#since = since;
    this.#left = limitBytes ?? Number.POSITIVE_INFINITY;
  }

  get full(): boolean {
    return this.#left <= 0;
  }

  *take(entries: Iterable<Buffer>): Generator<Uint8Array> {
    const out: Buffer[] = [];
    for (const entry of entries) {
      const line = parseLine(entry);
      if (line === undefined || this.full) continue;
      if (this.#since !== undefined && (fromTime(line.time) ?? 0) < this.#since) continue;
      if (this.#timestamps && !this.#midLine) this.#add(out, Buffer.from(`${line.time} `));
      this.#add(out, line.text);
      if (!line.partial) this.#add(out, NEWLINE);
      this.#midLine = line.partial;
    }
    if (out.length > 0) yield Buffer.concat(out);
  }

  #add(out: Buffer[], bytes: Buffer): void {
    if (this.#left <= 0) return;
    const part = bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes;
    this.#left -= part.length;
    out.push(part);
  }
}
