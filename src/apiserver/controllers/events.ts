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
  const running = every(api, EVERY, { name: 'events', signal, work: expire });
  return { idle: () => (signal.aborted ? running : Promise.resolve()) };
};

function timeOf({ value }: Entry): number {
  const { lastTimestamp, eventTime, series, metadata } = value as unknown as Event;
  const times = [lastTimestamp, eventTime, series?.lastObservedTime, metadata.creationTimestamp];
  return Math.max(0, ...times.map((time) => fromTime(time ?? undefined) ?? 0));
}
