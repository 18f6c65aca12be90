/** An answer's body: read once, as a stream whose pauses are bounded or as a bounded whole. */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '#kit';
import { ociError } from '../errors.ts';
import { type Timeouts, tooSlow, transportError } from './failure.ts';

export interface Body {
  /** Fails with OCI_TIMED_OUT when it stalls, and with OCI_WRONG_LENGTH when the connection ends too early. */
  stream(): AsyncIterable<Uint8Array>;
  /** All of it, at most `limit` bytes; OCI_TOO_LARGE beyond. */
  bytes(limit: number, what: string): Promise<Uint8Array>;
  /** For who does not want it: reads a little, so that the connection can be used again, or closes it. */
  discard(): Promise<void>;
}

interface Watched {
  readonly clock: Clock;
  readonly timeouts: Timeouts;
  readonly host: string;
  readonly signal: AbortSignal | undefined;
}

const DISCARD = 16 << 10;

export function bodyOf(message: IncomingMessage, watched: Watched): Body {
  return {
    stream: () => streamOf(message, watched),
    async bytes(limit, what) {
      const parts: Uint8Array[] = [];
      let length = 0;
      for await (const chunk of streamOf(message, watched)) {
        length += chunk.length;
        if (length > limit) throw ociError('OCI_TOO_LARGE', `Cannot read ${what}: it is larger than ${limit} bytes`);
        parts.push(chunk);
      }
      return Buffer.concat(parts);
    },
    async discard() {
      let length = 0;
      try {
        for await (const chunk of streamOf(message, watched)) {
          length += chunk.length;
          if (length > DISCARD) break;
        }
      } catch {
        // Nobody wanted it.
      }
    },
  };
}

async function* streamOf(message: IncomingMessage, watched: Watched): AsyncGenerator<Uint8Array> {
  const over = new AbortController();
  const progress = { bytes: 0, waiting: false };
  void watch(message, { ...watched, over: over.signal, progress });
  watched.signal?.addEventListener('abort', () => message.destroy(asError(watched.signal?.reason)), {
    once: true,
    signal: over.signal,
  });
  try {
    watched.signal?.throwIfAborted();
    progress.waiting = true;
    for await (const chunk of message as AsyncIterable<Uint8Array>) {
      progress.waiting = false;
      progress.bytes += chunk.length;
      yield chunk;
      progress.waiting = true;
    }
  } catch (cause) {
    throw bodyError(cause, watched);
  } finally {
    over.abort();
    message.destroy();
  }
}

interface Watch extends Watched {
  readonly over: AbortSignal;
  readonly progress: { bytes: number; waiting: boolean };
}

/** Only the peer's slowness counts: a reader that is busy elsewhere is not waiting. */
async function watch(message: IncomingMessage, { clock, timeouts, host, over, progress }: Watch): Promise<void> {
  try {
    for (;;) {
      const before = progress.bytes;
      await clock.sleep(timeouts.stall, { signal: over });
      if (!progress.waiting || progress.bytes - before >= timeouts.minBytes) continue;
      message.destroy(tooSlow(new URL(`https://${host}`), 'its answer stalled'));
    }
  } catch {
    // The body was read to its end, or given up.
  }
}

function bodyError(cause: unknown, { host, signal }: Watched): unknown {
  if (signal?.aborted) return signal.reason;
  const code = (cause as { code?: string }).code ?? '';
  if (code.startsWith('OCI_')) return cause;
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'HPE_INVALID_EOF_STATE') {
    return ociError('OCI_WRONG_LENGTH', `Cannot read the answer of registry ${host}: the connection ended too early`, {
      cause,
    });
  }
  return transportError(new URL(`https://${host}`), cause);
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
