/** Events are forgotten after an hour, and the oldest when there are very many. Source: apiserver's `--event-ttl`. */
import { fromTime } from '#kube';
import type { Event } from '#kube/types';
import type { Entry } from '../store/collection.ts';
import type { StartController } from './mod.ts';
import { every } from './reconciler.ts';

const TTL = 3_600_000;
const EVERY = 60_000;
const MOST = 5000;

export const startEventExpiry: StartController = ({ api, signal }) => {
  const { store, clock } = api;
  function expire(): void {
    const events = store.list('events').map((entry) => ({ entry, at: timeOf(entry) }));
    events.sort((left, right) => left.at - right.at);
    const limit = clock.now() - TTL;
    const surplus = events.length - MOST;
    for (const [position, { entry, at }] of events.entries()) {
      if (at >= limit && position >= surplus) break;
      store.remove({ storage: 'events', namespace: entry.namespace, name: entry.name });
    }
  }
  store.subscribe('events', ({ entry }) => void timeOf(entry));
  const running = every(api, EVERY, { name: 'events', signal, work: expire });
  return { idle: () => (signal.aborted ? running : Promise.resolve()) };
};

/** Known from when an event was written, as its object is soon forgotten. */
const times = new WeakMap<Entry, number>();

function timeOf(entry: Entry): number {
  const known = times.get(entry) ?? readTime(entry);
  times.set(entry, known);
  return known;
}

function readTime({ value }: Entry): number {
  const { lastTimestamp, eventTime, series, metadata } = value as unknown as Event;
  const all = [lastTimestamp, eventTime, series?.lastObservedTime, metadata.creationTimestamp];
  return Math.max(0, ...all.map((time) => fromTime(time ?? undefined) ?? 0));
}
