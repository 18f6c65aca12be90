import { randomBytes } from 'node:crypto';
import { toMicroTime, toTime } from '#kube';
import { type Api, newUid } from '../rest/mod.ts';
import type { ApiObject } from '../surface.ts';

export interface EventFacts {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly message: string;
  /** Which part says so. */
  readonly reporter: string;
}

/** An event about an object, as client-go's `tools/events` writes it. One that cannot be written is not missed. */
export function recordEvent(api: Api, about: ApiObject, { type, reason, action, message, reporter }: EventFacts): void {
  const { name = '', namespace = '', uid, resourceVersion } = about.metadata;
  const place = namespace === '' ? 'default' : namespace;
  const now = api.clock.now();
  const event: ApiObject = {
    kind: 'Event',
    apiVersion: 'v1',
    metadata: {
      name: `${name.slice(0, 230)}.${randomBytes(8).toString('hex')}`,
      namespace: place,
      uid: newUid(),
      creationTimestamp: toTime(now),
    },
    involvedObject: {
      kind: about.kind,
      ...(namespace === '' ? {} : { namespace }),
      name,
      uid,
      apiVersion: about.apiVersion,
      resourceVersion,
    },
    reason,
    message: message.slice(0, 1024),
    source: {},
    firstTimestamp: null,
    lastTimestamp: null,
    type,
    eventTime: toMicroTime(now),
    action,
    reportingComponent: reporter,
    reportingInstance: `${reporter}-wasmlet`,
  };
  try {
    api.store.put({ storage: 'events', namespace: place, name: event.metadata.name ?? '' }, event);
  } catch (error) {
    api.log.debug('an event was not kept', { reason, error });
  }
}
