/** References: a name and the content that it stands for, one small JSON file each. */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDigest } from '../digest.ts';
import { isObject } from '../manifest.ts';
import { isMissing, writeDurably } from './files.ts';

export interface StoredRef {
  /** Canonical name, as `formatReference` writes it. */
  readonly reference: string;
  /** What the name points to: a manifest or an index. */
  readonly digest: string;
  readonly mediaType: string;
  /** Everything that has to stay for this reference to work. */
  readonly blobs: readonly string[];
  /** Bytes of all of them. */
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly pulledAt: number;
  /** Marks of the credentials that may use it (`access.ts`); undefined for everybody. */
  readonly access?: readonly string[] | undefined;
}

const MAX_FILE = 64 << 10;

export class Refs {
  readonly #directory: string;
  readonly #aside: string;

  constructor(directory: string, aside: string) {
    this.#directory = directory;
    this.#aside = aside;
  }

  async get(reference: string): Promise<StoredRef | undefined> {
    const found = await this.#read(fileName(reference));
    return found?.reference === reference ? found : undefined;
  }

  async put(ref: StoredRef): Promise<void> {
    await writeDurably(join(this.#directory, fileName(ref.reference)), `${JSON.stringify(ref)}\n`, {
      aside: this.#aside,
      mode: 0o600,
    });
  }

  async delete(reference: string): Promise<void> {
    await rm(join(this.#directory, fileName(reference)), { force: true });
  }

  async list(): Promise<StoredRef[]> {
    const refs: StoredRef[] = [];
    for (const name of await readdir(this.#directory)) {
      const ref = await this.#read(name);
      if (ref !== undefined) refs.push(ref);
    }
    return refs.sort((a, b) => (a.reference < b.reference ? -1 : 1));
  }

  /** A file that is not ours to understand counts as no reference. */
  async #read(name: string): Promise<StoredRef | undefined> {
    let text: string;
    try {
      text = await readFile(join(this.#directory, name), 'utf8');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    if (text.length > MAX_FILE) return undefined;
    try {
      return refOf(JSON.parse(text));
    } catch {
      return undefined;
    }
  }
}

function refOf(value: unknown): StoredRef | undefined {
  if (!isObject(value)) return undefined;
  const { reference, digest, mediaType, blobs, size, pulledAt, access } = value;
  if (typeof reference !== 'string' || !isDigest(digest) || typeof mediaType !== 'string') return undefined;
  if (!Array.isArray(blobs) || !blobs.every(isDigest) || typeof size !== 'number' || typeof pulledAt !== 'number')
    return undefined;
  if (access === undefined) return { reference, digest, mediaType, blobs, size, pulledAt };
  if (!Array.isArray(access) || !access.every((mark) => typeof mark === 'string')) return undefined;
  return { reference, digest, mediaType, blobs, size, pulledAt, access };
}

/** A file name of any reference: readable, and short enough for every file system. */
function fileName(reference: string): string {
  const encoded = encodeURIComponent(reference);
  if (encoded.length <= 180) return `${encoded}.json`;
  return `${encoded.slice(0, 100)}~${createHash('sha256').update(reference).digest('hex')}.json`;
}
