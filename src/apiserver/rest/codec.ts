/**
 * The form in which objects are kept against the form in which a group shows them. Events are kept as core/v1 and shown
 * by two groups; everything else is shown as it is kept. Source: `pkg/apis/events/v1/conversion.go`.
 */
import { apiVersionOf, type KindRow } from '../kinds.ts';
import type { Entry } from '../store/collection.ts';
import type { ApiObject } from '../surface.ts';

const EVENT_FIELDS: readonly (readonly [core: string, events: string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
];

function isForeign(kind: KindRow): boolean {
  return kind.storage === 'events' && kind.group !== '';
}

function renamed(object: ApiObject, apiVersion: string, names: ReadonlyMap<string, string>): ApiObject {
  const pairs = Object.entries(object).map(([key, value]) => [names.get(key) ?? key, value] as const);
  return { ...Object.fromEntries(pairs), apiVersion } as ApiObject;
}

/** The object as it is kept: `kind` and `apiVersion` first, so that a list can cut them off. */
export function toStored(kind: KindRow, object: ApiObject): ApiObject {
  const names = new Map(EVENT_FIELDS.map(([core, events]) => [events, core]));
  const { kind: _, apiVersion: __, metadata, ...rest } = isForeign(kind) ? renamed(object, 'v1', names) : object;
  return { kind: kind.kind, apiVersion: isForeign(kind) ? 'v1' : apiVersionOf(kind), metadata, ...rest };
}

/** A copy in the kind's own group. */
export function fromStored(kind: KindRow, entry: Entry): ApiObject {
  return isForeign(kind) ? renamed(entry.copy(), apiVersionOf(kind), new Map(EVENT_FIELDS)) : entry.copy();
}

/** Shared, not to be changed. */
export function shownOf(kind: KindRow, entry: Entry): ApiObject {
  return isForeign(kind) ? fromStored(kind, entry) : entry.value;
}

export function textOf(kind: KindRow, entry: Entry): string {
  return isForeign(kind) ? JSON.stringify(fromStored(kind, entry)) : entry.text;
}

/** As in a list: without kind and apiVersion. */
export function itemText(kind: KindRow, entry: Entry): string {
  const text = textOf(kind, entry);
  const head = `{"kind":${JSON.stringify(kind.kind)},"apiVersion":${JSON.stringify(apiVersionOf(kind))},`;
  return text.startsWith(head) ? `{${text.slice(head.length)}` : text;
}
