/**
 * `metadata.managedFields`: who set which field, decoded and written again. Source: apimachinery `pkg/util/managedfields`.
 * A manager is identified by name, operation, subresource, and for updates the API version.
 */
import type { ManagedFieldsEntry } from '#kube/types';
import { FieldSet, fromFieldsV1, pathText, toFieldsV1 } from './field-set.ts';

export interface Manager {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string | undefined;
  readonly time: string | undefined;
  readonly fields: FieldSet;
}

/** By identity. */
export type Managers = Map<string, Manager>;

export function identityOf({
  name,
  operation,
  apiVersion,
  subresource = '',
}: Omit<Manager, 'fields' | 'time'>): string {
  return JSON.stringify([name, operation, operation === 'Apply' ? '' : apiVersion, subresource]);
}

/** undefined when an entry cannot be read: then none of them counts. */
export function decodeManagers(entries: unknown, { stored = false } = {}): Managers | undefined {
  const managers: Managers = new Map();
  if (entries === undefined || entries === null) return managers;
  if (!Array.isArray(entries)) return undefined;
  for (const entry of entries as (ManagedFieldsEntry | null)[]) {
    const manager = entry === null ? undefined : decodeManager(entry, stored);
    if (manager === undefined) return undefined;
    managers.set(identityOf(manager), manager);
  }
  return managers;
}

function decodeManager(entry: ManagedFieldsEntry, stored: boolean): Manager | undefined {
  const { operation, apiVersion = '', fieldsType } = entry;
  if (operation !== 'Apply' && operation !== 'Update') return undefined;
  if (apiVersion === '' || fieldsType !== 'FieldsV1') return undefined;
  return {
    name: entry.manager ?? '',
    operation,
    apiVersion,
    subresource: entry.subresource,
    time: entry.time,
    // What was stored was written by us, in canonical form.
    fields: stored ? FieldSet.stored(entry.fieldsV1) : fromFieldsV1(entry.fieldsV1),
  };
}

/** Applies first, then by time, then by name. undefined when there is none. */
export function encodeManagers(managers: Managers): ManagedFieldsEntry[] | undefined {
  if (managers.size === 0) return undefined;
  return [...managers.values()].sort(compareManagers).map((manager) => ({
    manager: manager.name,
    operation: manager.operation,
    apiVersion: manager.apiVersion,
    ...(manager.time === undefined ? {} : { time: manager.time }),
    fieldsType: 'FieldsV1',
    fieldsV1: toFieldsV1(manager.fields),
    ...(manager.subresource === undefined || manager.subresource === '' ? {} : { subresource: manager.subresource }),
  }));
}

function compareManagers(a: Manager, b: Manager): number {
  return (
    compareTexts(a.operation, b.operation) ||
    secondsOf(a) - secondsOf(b) ||
    compareTexts(a.name, b.name) ||
    compareTexts(a.apiVersion, b.apiVersion) ||
    compareTexts(a.subresource ?? '', b.subresource ?? '')
  );
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function secondsOf({ time }: Manager): number {
  const parsed = time === undefined ? 0 : Date.parse(time);
  return Number.isNaN(parsed) ? 0 : Math.floor(parsed / 1000);
}

/** Is the request to forget all managers: an empty list, or one empty entry. */
export function isReset(entries: unknown): boolean {
  if (!Array.isArray(entries)) return false;
  if (entries.length === 0) return true;
  const [only] = entries as unknown[];
  return entries.length === 1 && typeof only === 'object' && only !== null && Object.keys(only).length === 0;
}

/** Source: apimachinery `capmanagers.go`: more update managers than this are merged into one bucket. */
const MAX_UPDATE_MANAGERS = 10;
const BUCKET = 'ancient-changes';

/** Merges the oldest update managers so that a writer with ever new names cannot grow the object without end. */
export function capManagers(managers: Managers): void {
  const updaters = [...managers.entries()]
    .filter(([, { operation }]) => operation === 'Update')
    .sort(([, a], [, b]) => secondsOf(a) - secondsOf(b) || compareTexts(a.name, b.name));
  let count = updaters.length;
  const first = new Map<string, string>();
  for (const [identity, manager] of updaters) {
    if (count <= MAX_UPDATE_MANAGERS) return;
    const { apiVersion } = manager;
    const earlier = first.get(apiVersion);
    if (earlier === undefined) {
      first.set(apiVersion, identity);
      continue;
    }
    const bucket: Manager = { ...manager, name: BUCKET, subresource: undefined };
    const key = identityOf(bucket);
    const before = managers.get(key) ?? managers.get(earlier);
    if (!managers.has(key)) managers.delete(earlier);
    managers.delete(identity);
    managers.set(key, { ...bucket, fields: manager.fields.union(before?.fields ?? manager.fields) });
    count--;
  }
}

export interface Conflict {
  readonly manager: Manager;
  readonly path: readonly string[];
}

/** `"kubectl" using v1 at 2026-01-01T00:00:00Z`; an applier is only named. */
export function managerText({ name, operation, apiVersion, subresource = '', time }: Manager): string {
  const named =
    subresource === ''
      ? JSON.stringify(name)
      : `${JSON.stringify(name)} with subresource ${JSON.stringify(subresource)}`;
  if (operation === 'Apply') return named;
  // Identities carry no time, and so the API server's messages have none.
  return time === undefined ? `${named} using ${apiVersion}` : `${named} using ${apiVersion} at ${time}`;
}

export function conflictMessage(conflicts: readonly Conflict[]): string {
  const [only] = conflicts;
  if (conflicts.length === 1 && only !== undefined) {
    return `Apply failed with 1 conflict: conflict with ${managerText(only.manager)}: ${pathText(only.path)}`;
  }
  const byManager = Map.groupBy(conflicts, ({ manager }) => managerText(manager));
  const lines = [...byManager]
    .sort(([a], [b]) => compareTexts(a, b))
    .flatMap(([manager, list]) => [`conflicts with ${manager}:`, ...list.map(({ path }) => `- ${pathText(path)}`)]);
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}
