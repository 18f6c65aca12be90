/**
 * Tells the cluster what happened, as Events. Recording never waits: a bounded queue is written in the background, and
 * what repeats is counted or combined before it costs a request. Source: client-go `tools/record/{event,events_cache}.go`.
 */
import { type Clock, type Log, messageOf, silentLog, systemClock } from '#kit';
import type { KubeClient } from './client.ts';
import { ApiStatusError, isNotFound } from './errors.ts';
import { Correlator } from './event-correlator.ts';
import { EVENTS } from './resources.ts';
import { toTime } from './time.ts';
import type { Event, KubeObject, ObjectReference } from './types/mod.ts';

export interface EventInput {
  readonly type: 'Normal' | 'Warning';
  /** Upper camel case, for programs. */
  readonly reason: string;
  /** For people; cut at 1024 bytes as the API server asks. */
  readonly message: string;
  /** Of a container: `spec.containers{name}`. */
  readonly fieldPath?: string | undefined;
}

export interface EventRecorder extends AsyncDisposable {
  record(about: KubeObject | ObjectReference, event: EventInput): void;
  /** Resolves when everything recorded so far was written or given up. */
  flush(): Promise<void>;
  /** How many events were dropped because the queue was full. */
  readonly dropped: number;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  readonly source: { readonly component: string; readonly host?: string | undefined };
  readonly clock?: Clock | undefined;
  readonly log?: Log | undefined;
}

const QUEUE = 1000;
const TRIES = 12;
const RETRY_AFTER = 10_000;
const MESSAGE_BYTES = 1024;

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  return new Recorder(options);
}

/** A reference to an object; an API list's items have no kind of their own, so say it where it is not in the object. */
export function referenceTo(object: KubeObject, fieldPath?: string): ObjectReference {
  const { metadata: { name, namespace, uid, resourceVersion } = {}, apiVersion, kind } = object;
  const reference = { kind, apiVersion, name, namespace, uid, resourceVersion, fieldPath };
  return Object.fromEntries(Object.entries(reference).filter(([, value]) => value !== undefined));
}

class Recorder implements EventRecorder {
  readonly #client: KubeClient;
  readonly #source: { component: string; host?: string };
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #correlator: Correlator;
  readonly #stop = new AbortController();
  readonly #queue: Event[] = [];
  #writing: Promise<void> | undefined;
  #serial = 0;
  dropped = 0;

  constructor({ client, source, clock = systemClock, log = silentLog }: EventRecorderOptions) {
    this.#client = client;
    this.#source = { component: source.component, ...(source.host === undefined ? {} : { host: source.host }) };
    this.#clock = clock;
    this.#log = log;
    this.#correlator = new Correlator(clock);
  }

  record(about: KubeObject | ObjectReference, input: EventInput): void {
    if (this.#stop.signal.aborted) return;
    if (this.#queue.length >= QUEUE) {
      this.dropped++;
      return;
    }
    this.#queue.push(this.#eventOf('metadata' in about ? referenceTo(about) : (about as ObjectReference), input));
    this.#writing ??= this.#drain();
  }

  async flush(): Promise<void> {
    await this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#writing;
  }

  #eventOf(about: ObjectReference, { type, reason, message, fieldPath }: EventInput): Event {
    const now = this.#clock.now();
    const time = toTime(now);
    // Names are unique by time; two events of one millisecond differ by the serial.
    const nanos = BigInt(Math.floor(now)) * 1_000_000n + BigInt(this.#serial++ % 1_000_000);
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        name: `${(about.name ?? 'unknown').slice(0, 230)}.${nanos.toString(16)}`,
        namespace: about.namespace ?? 'default',
      },
      involvedObject: fieldPath === undefined ? about : { ...about, fieldPath },
      reason,
      message: cut(message),
      source: this.#source,
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
      type,
      reportingComponent: this.#source.component,
      reportingInstance: this.#source.host ?? '',
    };
  }

  async #drain(): Promise<void> {
    await Promise.resolve();
    for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) {
      const decision = this.#correlator.correlate(event);
      if (decision !== undefined) await this.#write(decision.event, decision.key, decision.exists);
    }
    this.#writing = undefined;
  }

  /** A refusal is final; only a server that cannot be reached is tried again. */
  async #write(event: Event, key: string, exists: boolean): Promise<void> {
    const { signal } = this.#stop;
    for (let attempt = 0; attempt < TRIES && !signal.aborted; attempt++) {
      try {
        this.#correlator.written(key, await this.#send(event, exists));
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiStatusError) {
          this.#log.warn('An event was refused', { reason: event.reason, error: error.message });
          return;
        }
        this.#log.debug('An event waits for the API server', { reason: event.reason, error: messageOf(error) });
        await this.#clock.sleep(RETRY_AFTER, { signal }).catch(() => {});
      }
    }
  }

  async #send(event: Event, exists: boolean): Promise<Event> {
    const { signal } = this.#stop;
    const { name = '', namespace } = event.metadata ?? {};
    if (exists) {
      const { count, message, lastTimestamp } = event;
      try {
        const body = { count, message, lastTimestamp };
        return await this.#client.patch<Event>(EVENTS, { namespace, name }, { type: 'strategic', body }, { signal });
      } catch (error) {
        // Events live an hour; the one that counted is gone.
        if (!isNotFound(error)) throw error;
      }
    }
    return await this.#client.create<Event>(EVENTS, event, { signal });
  }
}

function cut(message: string): string {
  const bytes = Buffer.from(message);
  if (bytes.length <= MESSAGE_BYTES) return message;
  return `${bytes
    .subarray(0, MESSAGE_BYTES - 4)
    .toString('utf8')
    .replace(/\ufffd+$/, '')}…`;
}
