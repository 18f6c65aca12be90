/**
 * The content store: blobs named by their digest, and references to them. Shared by every process of a data directory
 * without a lock: a blob appears by a rename when it is whole, verified and on the disk; a reference likewise; whoever
 * dies on the way leaves only files in `ingest/`. See docs/decisions/0004-data-directory.md.
 */
import { constants } from 'node:fs';
import { access, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, systemClock } from '#kit';
import { hexOf, isDigest, sha256Of } from '../digest.ts';
import { ociError } from '../errors.ts';
import { isMissing, makeDirectories, moveDurably, storeError, syncDirectory } from './files.ts';
import { Ingest, ownerLives, ownerName } from './ingest.ts';
import { Refs, type StoredRef } from './refs.ts';

export interface BlobName {
  readonly digest: string;
  readonly size: number;
}

/** Unreferenced content younger than this stays: its reference may be about to be written by another process. */
const YOUNG_MS = 10 * 60_000;

export class ContentStore {
  readonly refs: Refs;
  readonly #clock: Clock;
  readonly #blobs: string;
  readonly #ingest: string;

  private constructor(directory: string, clock: Clock) {
    this.#clock = clock;
    this.#blobs = join(directory, 'blobs', 'sha256');
    this.#ingest = join(directory, 'ingest');
    this.refs = new Refs(join(directory, 'refs'), this.#ingest);
  }

  /** Opens the `content` directory of a data directory, making it if needed. */
  static async open(directory: string, { clock = systemClock }: { clock?: Clock } = {}): Promise<ContentStore> {
    const store = new ContentStore(directory, clock);
    try {
      await makeDirectories([store.#blobs, store.#ingest, join(directory, 'refs')]);
    } catch (error) {
      throw storeError(`open the content store '${directory}'`, error);
    }
    return store;
  }

  pathOf(digest: string): string {
    return join(this.#blobs, hexOf(digest));
  }

  /** Whether a blob is there and of its size; touches it, so that it counts as young again. */
  async has({ digest, size }: BlobName): Promise<boolean> {
    const path = this.pathOf(digest);
    try {
      if ((await stat(path)).size !== size) return false;
      const now = new Date(this.#clock.now());
      // Another user's store can be read without being touched.
      await utimes(path, now, now).catch(() => {});
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw storeError(`look into the content store for ${digest}`, error);
    }
  }

  /** A small blob, its digest checked again; undefined if it is not there or no longer what it was. */
  async read(digest: string, limit: number): Promise<Uint8Array | undefined> {
    try {
      const path = this.pathOf(digest);
      if ((await stat(path)).size > limit) return undefined;
      const bytes = await readFile(path);
      return sha256Of(bytes) === digest ? bytes : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw storeError(`read ${digest} from the content store`, error);
    }
  }

  /** Puts bytes that are here already, and returns their digest. */
  async put(bytes: Uint8Array): Promise<string> {
    const digest = sha256Of(bytes);
    if (await this.has({ digest, size: bytes.length })) return digest;
    await this.fill({ digest, size: bytes.length }, (ingest) => ingest.rewind().then(() => ingest.write(bytes)));
    return digest;
  }

  /** Lets `write` bring a blob in; it becomes visible only if it is what its name says. */
  async fill(blob: BlobName, write: (ingest: Ingest) => Promise<void>): Promise<string> {
    const path = this.pathOf(blob.digest);
    try {
      await using ingest = await Ingest.open(this.#ingest, hexOf(blob.digest));
      await write(ingest);
      if (ingest.length !== blob.size) throw wrongLength(blob, ingest.length);
      const digest = await ingest.finish();
      if (digest !== blob.digest) throw wrongDigest(blob.digest, digest);
      await moveDurably(ingest.path, path);
    } catch (error) {
      throw storeError(`keep ${blob.digest} in the content store`, error);
    }
    return path;
  }

  /** References that keep all their content; others are as good as not there. */
  async intact(ref: Pick<StoredRef, 'blobs'>): Promise<boolean> {
    for (const digest of ref.blobs) {
      try {
        await access(this.pathOf(digest), constants.R_OK);
      } catch {
        return false;
      }
    }
    return true;
  }

  async list(): Promise<string[]> {
    return (await readdir(this.#blobs)).map((name) => `sha256:${name}`).filter(isDigest);
  }

  /**
   * Removes content that no reference names and what dead writers left, except `keep`; returns the bytes freed. Safe beside
   * other processes: a blob is set aside first and put back if a reference to it has appeared meanwhile.
   */
  async gc({ keep = new Set() }: { keep?: ReadonlySet<string> } = {}): Promise<number> {
    let freed = await this.#dropLeftovers();
    const marked = await this.#marked(keep);
    for (const digest of await this.list()) {
      if (!marked.has(digest)) freed += await this.#drop(digest, keep);
    }
    return freed;
  }

  async #marked(keep: ReadonlySet<string>): Promise<Set<string>> {
    return new Set([...keep, ...(await this.refs.list()).flatMap((ref) => ref.blobs)]);
  }

  async #drop(digest: string, keep: ReadonlySet<string>): Promise<number> {
    const path = this.pathOf(digest);
    const found = await stat(path).catch(() => undefined);
    if (found === undefined || this.#clock.now() - found.mtimeMs < YOUNG_MS) return 0;
    const aside = join(this.#ingest, `drop-${hexOf(digest)}.${await ownerName()}.00`);
    await rename(path, aside);
    if ((await this.#marked(keep)).has(digest)) {
      await rename(aside, path);
      return 0;
    }
    await rm(aside, { force: true });
    await syncDirectory(this.#blobs);
    return found.size;
  }

  async #dropLeftovers(): Promise<number> {
    let freed = 0;
    for (const name of await readdir(this.#ingest)) {
      const path = join(this.#ingest, name);
      const found = await stat(path).catch(() => undefined);
      if (found === undefined || (await ownerLives(name)) || this.#clock.now() - found.mtimeMs < YOUNG_MS) continue;
      await rm(path, { force: true });
      freed += found.size;
    }
    return freed;
  }
}

/** Too short is a cut, which may be continued; too long would be too long again. */
export function wrongLength({ digest, size }: BlobName, length: number): Error {
  const short = length < size;
  const state = short ? `it ended after ${length} of ${size} bytes` : `it is longer than its ${size} bytes`;
  return ociError('OCI_WRONG_LENGTH', `Cannot keep ${digest}: ${state}`, {
    retry: short ? 'later' : 'never',
    hint: 'The registry or the network is at fault',
  });
}

export function wrongDigest(expected: string, digest: string): Error {
  return ociError('OCI_WRONG_DIGEST', `Cannot keep ${expected}: what came has the digest ${digest}`, {
    hint: 'The registry, or something between, changes content: do not trust it',
  });
}
