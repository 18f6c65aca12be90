/**
 * Content on its way in. A file `ingest/<hex>.<pid>-<start>.<n>` belongs to one writer; what a writer that died has left is
 * taken over by the next one of the same digest (a rename that only one can win) and continued from where it ended.
 */
import { createHash, type Hash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from './files.ts';

/** Identifies a process for as long as the machine runs: its pid and when it started. */
export async function ownerName(pid: number = process.pid): Promise<string> {
  return `${pid}-${(await startTime(pid)) ?? 0}`;
}

async function startTime(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The name in brackets may hold anything; the fields after it are counted from the last bracket.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

/** Whether the writer that a file's name tells of is alive. Without /proc a living pid counts as the writer. */
export async function ownerLives(name: string): Promise<boolean> {
  const found = /\.(\d+)-(\d+)\.[0-9a-f]+$/.exec(name);
  if (found === null) return false;
  const pid = Number(found[1]);
  if (found[2] !== '0') return (await startTime(pid)) === found[2];
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export class Ingest implements AsyncDisposable {
  readonly path: string;
  readonly #file: FileHandle;
  #hash: Hash = createHash('sha256');
  #length = 0;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  static async open(directory: string, hex: string): Promise<Ingest> {
    const path = join(directory, `${hex}.${await ownerName()}.${randomBytes(6).toString('hex')}`);
    const inherited = await takeOver(directory, { hex, path });
    const flags = inherited ? constants.O_RDWR : constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    const ingest = new Ingest(path, await open(path, flags, 0o644));
    if (inherited) await ingest.#readBack();
    return ingest;
  }

  /** Bytes that are there. */
  get length(): number {
    return this.#length;
  }

  async write(chunk: Uint8Array): Promise<void> {
    let done = 0;
    while (done < chunk.length) {
      const { bytesWritten } = await this.#file.write(chunk, done, chunk.length - done, this.#length + done);
      done += bytesWritten;
    }
    this.#hash.update(chunk);
    this.#length += chunk.length;
  }

  /** Starts from nothing. */
  async rewind(): Promise<void> {
    await this.#file.truncate(0);
    this.#hash = createHash('sha256');
    this.#length = 0;
  }

  /** The digest of what was written; flushes it. Nothing can be written after it. */
  async finish(): Promise<string> {
    await this.#file.sync();
    return `sha256:${this.#hash.digest('hex')}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close().catch(() => {});
    await rm(this.path, { force: true });
  }

  async #readBack(): Promise<void> {
    const buffer = Buffer.allocUnsafe(256 << 10);
    for (;;) {
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, this.#length);
      if (bytesRead === 0) return;
      this.#hash.update(buffer.subarray(0, bytesRead));
      this.#length += bytesRead;
    }
  }
}

async function takeOver(directory: string, { hex, path }: { hex: string; path: string }): Promise<boolean> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(`${hex}.`) || (await ownerLives(name))) continue;
    try {
      await rename(join(directory, name), path);
      return true;
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return false;
}
