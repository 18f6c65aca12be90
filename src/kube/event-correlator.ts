/**
 * Decides what an event becomes: a new one, one more of an earlier one, part of a summary, or nothing.
 * Source of the numbers: client-go `tools/record/events_cache.go`.
 */
import type { Clock } from '#kit';
import type { Event } from './types/mod.ts';

/** So many different messages of one kind in the window, and they become one summary. */
const SIMILAR = 10;
const WINDOW = 600_000;
/** Events of one source about one object: a burst, then one in five minutes. */
const BURST = 25;
const REFILL = 300_000;
const CACHE = 4096;

export interface Decision {
  readonly event: Event;
  readonly key: string;
  /** The event is in the cluster already; raise its count. */
  readonly exists: boolean;
}

interface Seen {
  count: number;
  name: string;
  firstTimestamp: string | undefined;
}

export class Correlator {
  readonly #clock: Clock;
  readonly #seen = new Map<string, Seen>();
  readonly #similar = new Map<string, { messages: Set<string>; at: number }>();
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  correlate(event: Event): Decision | undefined {
    const combined = this.#combine(event);
    const { key } = combined;
    if (!this.#allows(event)) return undefined;
    const seen = this.#seen.get(key);
    if (seen === undefined) {
      remember(this.#seen, key, { count: 1, name: event.metadata?.name ?? '', firstTimestamp: event.firstTimestamp });
      return { event: combined.event, key, exists: false };
    }
    seen.count++;
    remember(this.#seen, key, seen);
    const { count, name, firstTimestamp = '' } = seen;
    const metadata = { ...event.metadata, name };
    return { event: { ...combined.event, metadata, count, firstTimestamp }, key, exists: true };
  }

  /** What the server made of it: an event that had to be created again has a name of its own. */
  written(key: string, event: Event): void {
    const seen = this.#seen.get(key);
    if (seen === undefined) return;
    seen.name = event.metadata?.name ?? seen.name;
    seen.count = event.count ?? seen.count;
  }

  #combine(event: Event): { event: Event; key: string } {
    const { source, involvedObject, type, reason, message = '' } = event;
    const { kind, namespace, name, uid, apiVersion, fieldPath } = involvedObject;
    const base = [source?.component, source?.host, kind, namespace, name, uid, apiVersion, type, reason];
    const key = JSON.stringify(base);
    const now = this.#clock.monotonic();
    let similar = this.#similar.get(key);
    if (similar === undefined || now - similar.at > WINDOW) similar = { messages: new Set(), at: now };
    similar.messages.add(message);
    similar.at = now;
    remember(this.#similar, key, similar);
    if (similar.messages.size < SIMILAR) return { event, key: JSON.stringify([...base, fieldPath, message]) };
    const oldest = similar.messages.values().next().value;
    if (oldest !== undefined && similar.messages.size > SIMILAR) similar.messages.delete(oldest);
    return { event: { ...event, message: `(combined from similar events): ${message}`.slice(0, 1024) }, key };
  }

  #allows({ source, involvedObject }: Event): boolean {
    const { kind, namespace, name, uid, apiVersion } = involvedObject;
    const key = JSON.stringify([source?.component, source?.host, kind, namespace, name, uid, apiVersion]);
    const now = this.#clock.monotonic();
    const bucket = this.#buckets.get(key) ?? { tokens: BURST, at: now };
    const tokens = Math.min(BURST, bucket.tokens + (now - bucket.at) / REFILL);
    const allowed = tokens >= 1;
    remember(this.#buckets, key, { tokens: allowed ? tokens - 1 : tokens, at: now });
    return allowed;
  }
}

/** The least recently used goes first. */
function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= CACHE) return;
  const oldest = map.keys().next().value;
  if (oldest !== undefined) map.delete(oldest);
}
