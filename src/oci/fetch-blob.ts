/** One blob from a registry into the store: verified while it is written, resumed by range after a cut. */
import { type Backoff, type Clock, delayOf, isWasmletError } from '#kit';
import type { RegistryClient } from './registry.ts';
import type { Ingest } from './store/ingest.ts';
import { type BlobName, type ContentStore, wrongLength } from './store/store.ts';

export interface FetchOptions {
  readonly registry: RegistryClient;
  readonly store: ContentStore;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** After a cut; a cut that brought something starts it anew. */
const RESUME: Backoff = { base: 250, factor: 2, cap: 4000 };
const MAX_CUTS_WITHOUT_PROGRESS = 3;
const MAX_CUTS = 50;
const RESUMABLE = ['OCI_UNREACHABLE', 'OCI_TIMED_OUT', 'OCI_WRONG_LENGTH', 'OCI_SERVER_ERROR'];

export async function fetchBlob(blob: BlobName, options: FetchOptions): Promise<void> {
  let inherited = false;
  function bringIn(): Promise<string> {
    return options.store.fill(blob, async (ingest) => {
      // What a dead writer left may be longer than it should be, or of another mind.
      if (ingest.length > blob.size) await ingest.rewind();
      inherited = ingest.length > 0;
      await download(blob, ingest, options);
    });
  }
  try {
    await bringIn();
  } catch (error) {
    if (!inherited || !isWasmletError(error, 'OCI_WRONG_DIGEST')) throw error;
    await bringIn();
  }
}

async function download(blob: BlobName, ingest: Ingest, options: FetchOptions): Promise<void> {
  let idle = 0;
  for (let cuts = 0; ingest.length < blob.size || blob.size === 0; cuts++) {
    const before = ingest.length;
    try {
      await readOn(blob, ingest, options);
      return;
    } catch (error) {
      options.signal.throwIfAborted();
      if (!isWasmletError(error) || error.retry === 'never' || !RESUMABLE.includes(error.code)) throw error;
      idle = ingest.length > before ? 0 : idle + 1;
      if (idle >= MAX_CUTS_WITHOUT_PROGRESS || cuts >= MAX_CUTS) throw error;
      await options.clock.sleep(delayOf(RESUME, idle), { signal: options.signal });
    }
  }
}

/** Reads from where the ingest stands to the end; anything but exactly the size is an error. */
async function readOn(blob: BlobName, ingest: Ingest, { registry, signal }: FetchOptions): Promise<void> {
  const { offset, stream } = await registry.blob(blob.digest, { offset: ingest.length, signal });
  if (offset !== ingest.length) await ingest.rewind();
  for await (const chunk of stream) {
    if (ingest.length + chunk.length > blob.size) throw wrongLength(blob, ingest.length + chunk.length);
    await ingest.write(chunk);
  }
  if (ingest.length < blob.size) throw wrongLength(blob, ingest.length);
}
