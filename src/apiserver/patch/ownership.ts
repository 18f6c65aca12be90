/**
 * Server-side apply and the tracking of plain writes: the rules by which managers gain and lose fields.
 * Source: structured-merge-diff `merge/update.go`.
 */
import type { Field } from '#kube/schema';
import { applyConflict, badRequest } from '../status.ts';
import { plainError } from '../validation/problems.ts';
import { FieldSet, FieldSetBuilder, pathText, setOf } from './field-set.ts';
import {
  type Conflict,
  capManagers,
  conflictMessage,
  identityOf,
  type Manager,
  type Managers,
  managerText,
} from './managed-fields.ts';
import { mergeValues, typeProblems } from './typed-merge.ts';
import { type Comparison, compareValues, fieldSetOf, withNamedFields, withoutFields } from './typed-value.ts';
import { deepEqual, type Fields } from './values.ts';

/** Never part of managedFields. Source: apimachinery `stripmeta.go`. */
const STRIPPED = setOf(
  ['apiVersion'],
  ['kind'],
  ['metadata'],
  ['metadata', 'name'],
  ['metadata', 'namespace'],
  ['metadata', 'creationTimestamp'],
  ['metadata', 'selfLink'],
  ['metadata', 'uid'],
  ['metadata', 'clusterName'],
  ['metadata', 'generation'],
  ['metadata', 'managedFields'],
  ['metadata', 'resourceVersion'],
);

export interface Write {
  readonly field: Field;
  readonly managers: Managers;
  /** Who writes, without fields yet. */
  readonly writer: Omit<Manager, 'fields' | 'time'>;
  /** Fields that the endpoint does not let anybody set (`status` at the resource itself). */
  readonly ignored: FieldSet;
  readonly now: string;
}

function ignoring(comparison: Comparison, ignored: FieldSet): Comparison {
  return {
    added: comparison.added.recursiveDifference(ignored),
    modified: comparison.modified.recursiveDifference(ignored),
    removed: comparison.removed.recursiveDifference(ignored),
  };
}

/** Takes changed fields from their other owners; without `force` an owned change is a conflict. */
function takeFields(
  managers: Managers,
  writer: string | undefined,
  { comparison, force }: { comparison: Comparison; force: boolean },
): void {
  const changed = comparison.modified.union(comparison.added);
  const conflicts: Conflict[] = [];
  const after = new Map<string, Manager>();
  for (const [identity, manager] of managers) {
    if (identity === writer) continue;
    const overlap = manager.fields.intersection(changed);
    for (const path of overlap.paths()) conflicts.push({ manager, path });
    after.set(identity, { ...manager, fields: manager.fields.difference(overlap).difference(comparison.removed) });
  }
  if (!force && conflicts.length > 0) throw new OwnedElsewhere(conflicts);
  for (const [identity, manager] of after) managers.set(identity, manager);
  for (const [identity, { fields }] of managers) if (fields.empty) managers.delete(identity);
}

class OwnedElsewhere extends Error {
  readonly conflicts: readonly Conflict[];

  constructor(conflicts: readonly Conflict[]) {
    super('fields are owned by other managers');
    this.conflicts = conflicts;
  }
}

/** Notes in `managers` what a plain write (create, update, other patches) changed from `live` to `next`. */
export function trackWrite({ field, managers, writer, ignored, now }: Write, live: unknown, next: unknown): void {
  const comparison = ignoring(compareValues(field, live, next), ignored);
  takeFields(managers, undefined, { comparison, force: true });
  const changed = comparison.modified.union(comparison.added).recursiveDifference(ignored).difference(STRIPPED);
  const identity = identityOf(writer);
  const before = managers.get(identity);
  if (!changed.empty) {
    managers.set(identity, { ...writer, time: now, fields: changed.union(before?.fields ?? new FieldSet()) });
  }
  capManagers(managers);
}

/** The object with the applied fields; undefined when nothing changed. `managers` is brought up to date. */
export function applyFields(
  write: Write,
  live: unknown,
  applied: unknown,
  { force }: { force: boolean },
): Fields | undefined {
  const { field, managers, writer, ignored, now } = write;
  const problems = typeProblems(field, applied);
  if (problems.length > 0)
    throw plainError(
      problems.length === 1 ? (problems[0] ?? '') : `errors:\n${problems.map((line) => `  ${line}`).join('\n')}`,
    );
  const identity = identityOf(writer);
  const last = managers.get(identity);
  const merged = mergeValues(field, live, applied);
  const fields = fieldSetOf(field, applied).recursiveDifference(ignored);
  managers.set(identity, { ...writer, time: last?.time, fields });
  const next = pruned(field, merged, { managers, last: last?.fields });
  const comparison = ignoring(compareValues(field, live, next), ignored);
  takeFields(managers, identity, { comparison, force });
  const mine = managers.get(identity)?.fields.difference(STRIPPED) ?? new FieldSet();
  // A manager that changed nothing has no time, or keeps its old one, as at the real server.
  const changed = !deepEqual(live, next);
  if (mine.empty) managers.delete(identity);
  else managers.set(identity, { ...writer, time: changed ? now : last?.time, fields: mine });
  return changed ? (next as Fields) : undefined;
}

/** Takes out what the manager applied before, does not apply now, and nobody else owns. */
function pruned(
  field: Field,
  merged: unknown,
  { managers, last }: { managers: Managers; last: FieldSet | undefined },
): unknown {
  if (last === undefined || last.empty) return merged;
  const named = (set: FieldSet): FieldSet => withNamedFields(set, field);
  const stripped = withoutFields(field, merged, named(last));
  const owned = [...managers.values()].reduce((all, manager) => all.union(manager.fields), new FieldSet());
  const mergedSet = named(fieldSetOf(field, merged));
  const keep = named(fieldSetOf(field, stripped)).union(named(owned));
  const withOwned = withoutFields(field, merged, mergedSet.difference(keep));
  const kept = named(fieldSetOf(field, withOwned));
  return withoutFields(field, merged, mergedSet.difference(kept).intersection(named(last)));
}

/** Fields that client-side apply set and that still are as it set them: kubectl's server-side apply may take those. */
export function takeOver(field: Field, live: unknown, lastApplied: unknown): FieldSet {
  const { added, modified, removed } = compareValues(field, lastApplied, live);
  return fieldSetOf(field, lastApplied).difference(modified).difference(added).difference(removed);
}

/** 409 for what is owned elsewhere and not in `allowed`; false when all of it is allowed. */
export function conflictsBeyond(error: unknown, allowed: FieldSet | undefined): boolean {
  if (!(error instanceof OwnedElsewhere)) throw error;
  const conflicts = error.conflicts.filter(({ path }) => allowed === undefined || !hasPath(allowed, path));
  if (conflicts.length === 0) return false;
  const causes = conflicts.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${managerText({ ...manager, time: undefined })}`,
    field: pathText(path),
  }));
  const untimed = conflicts.map(({ manager, path }) => ({ manager: { ...manager, time: undefined }, path }));
  throw applyConflict(conflictMessage(untimed), causes);
}

function hasPath(set: FieldSet, path: readonly string[]): boolean {
  const builder = new FieldSetBuilder();
  builder.insert(path);
  return builder.build().difference(set).empty;
}

export function refuseManagedFields(applied: Fields): void {
  const metadata = applied['metadata'] as Fields | undefined;
  const given = metadata?.['managedFields'];
  if (given !== undefined && given !== null) throw badRequest('metadata.managedFields must be nil');
}
