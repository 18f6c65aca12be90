/** Lists: which revision, which page, which form. Source: apiserver `pkg/storage/{etcd3,cacher}`, `pkg/apis/meta/internalversion/validation`. */
import { apiVersionOf, type KindRow } from '../kinds.ts';
import { badRequest, invalid, StatusError } from '../status.ts';
import { type Entry, keyOf } from '../store/collection.ts';
import type { Api } from './api.ts';
import { itemText } from './codec.ts';
import { metadataText, tableText } from './forms.ts';
import type { Form } from './media.ts';
import { type Selection, selectionOf } from './select.ts';

const EXPIRED =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, ' +
  'or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an ' +
  'inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';

export interface Page {
  readonly entries: readonly Entry[];
  readonly revision: number;
  readonly next: string | undefined;
  readonly remaining: number | undefined;
}

interface ListTarget {
  readonly kind: KindRow;
  readonly namespace: string;
}

export function listText(
  api: Api,
  target: ListTarget,
  { query, form }: { query: URLSearchParams; form: Form },
): string {
  const page = pageOf(api, target, query);
  const { kind } = target;
  const meta = JSON.stringify({
    resourceVersion: String(page.revision),
    ...(page.next === undefined ? {} : { continue: page.next }),
    ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
  });
  if (form === 'table') return tableText(api, { kind, query, entries: page.entries, meta });
  const metadata = form === 'metadata';
  const items = page.entries.map((entry) => (metadata ? metadataText(kind, entry) : itemText(kind, entry)));
  const [listKind, version] = metadata
    ? ['PartialObjectMetadataList', 'meta.k8s.io/v1']
    : [`${kind.kind}List`, apiVersionOf(kind)];
  return `{"kind":"${listKind}","apiVersion":"${version}","metadata":${meta},"items":[${items.join(',')}]}\n`;
}

export function pageOf(api: Api, target: ListTarget, query: URLSearchParams): Page {
  if (query.has('sendInitialEvents')) {
    const message = 'Forbidden: sendInitialEvents is forbidden for list';
    throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [
      { field: 'sendInitialEvents', reason: 'FieldValueForbidden', message },
    ]);
  }
  const selection = selectionOf(target.kind, query);
  const limit = limitOf(query);
  const token = query.get('continue') ?? '';
  if (token !== '') return cut(continued(api, target, token), { limit, selection });
  const revision = revisionOf(api, query);
  const storage = target.kind.storage ?? '';
  const namespace = target.namespace === '' ? undefined : target.namespace;
  const entries = api.store.listAt(storage, revision, namespace);
  return cut({ entries, revision, after: '' }, { limit, selection });
}

/** The revision to read at: exact where it is asked for, else the newest. */
export function revisionOf(api: Api, query: URLSearchParams): number {
  const text = query.get('resourceVersion') ?? '';
  const match = query.get('resourceVersionMatch') ?? '';
  if (match !== '' && text === '')
    forbiddenOption('resourceVersionMatch is forbidden unless resourceVersion is provided');
  if (match !== '' && match !== 'Exact' && match !== 'NotOlderThan') {
    const message = `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`;
    throw invalid(LIST_OPTIONS, '', [{ field: 'resourceVersionMatch', reason: 'FieldValueNotSupported', message }]);
  }
  const asked = parseRevision(text);
  if (match === 'Exact' && asked === 0)
    forbiddenOption('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  if (asked > api.store.revision) throw tooLarge(asked, api.store.revision);
  const paged = limitOf(query) > 0 && match === '' && asked > 0;
  return match === 'Exact' || paged ? asked : api.store.revision;
}

export const LIST_OPTIONS = { group: 'meta.k8s.io', kind: 'ListOptions' };

export function forbiddenOption(why: string): never {
  throw invalid(LIST_OPTIONS, '', [
    { field: 'resourceVersionMatch', reason: 'FieldValueForbidden', message: `Forbidden: ${why}` },
  ]);
}

export function parseRevision(text: string): number {
  if (text === '') return 0;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  const message = `Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;
  throw invalid({ group: '', kind: 'ListOptions' }, '', [
    { field: 'resourceVersion', reason: 'FieldValueInvalid', message },
  ]);
}

export function tooLarge(asked: number, current: number): StatusError {
  return new StatusError(504, 'Timeout', `Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}

function limitOf(query: URLSearchParams): number {
  const text = query.get('limit') ?? '';
  if (text === '') return 0;
  const limit = Number(text);
  if (!Number.isSafeInteger(limit) || limit < 0) throw badRequest(`limit: ${JSON.stringify(text)} is not a number`);
  return limit;
}

interface Reading {
  readonly entries: readonly Entry[];
  readonly revision: number;
  /** Key of the last object of the page before. */
  readonly after: string;
}

function cut(reading: Reading, { limit, selection }: { limit: number; selection: Selection }): Page {
  const { entries, revision, after } = reading;
  const found: Entry[] = [];
  let position = after === '' ? 0 : entries.findIndex((entry) => keyOf(entry) > after);
  if (position < 0) position = entries.length;
  for (; position < entries.length; position++) {
    const entry = entries[position];
    if (entry === undefined || !(selection.everything || selection.matches(entry.value))) continue;
    if (limit > 0 && found.length === limit) {
      const last = found[found.length - 1];
      const next = tokenOf({ revision, after: last === undefined ? '' : keyOf(last) });
      return {
        entries: found,
        revision,
        next,
        remaining: selection.everything ? entries.length - position : undefined,
      };
    }
    found.push(entry);
  }
  return { entries: found, revision, next: undefined, remaining: undefined };
}

function tokenOf({ revision, after }: { revision: number; after: string }): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start: `${after}\u0000` })).toString(
    'base64url',
  );
}

function continued(api: Api, { kind, namespace }: ListTarget, token: string): Reading {
  const { rv, start } = readToken(token);
  const after = start.replace(/\0$/, '');
  const storage = kind.storage ?? '';
  const within = namespace === '' ? undefined : namespace;
  if (rv < 0) return { entries: api.store.list(storage, within), revision: api.store.revision, after };
  if (rv < api.store.compacted) {
    const error = new StatusError(410, 'Expired', EXPIRED);
    error.status.metadata = { continue: tokenOf({ revision: -1, after }) };
    throw error;
  }
  return { entries: api.store.listAt(storage, Math.min(rv, api.store.revision), within), revision: rv, after };
}

function readToken(token: string): { rv: number; start: string } {
  try {
    const { v, rv, start } = JSON.parse(Buffer.from(token.slice(0, 2048), 'base64url').toString('utf8')) as Record<
      string,
      unknown
    >;
    if (v === 'meta.k8s.io/v1' && Number.isSafeInteger(rv) && typeof start === 'string')
      return { rv: rv as number, start };
  } catch {
    // Falls through to the same answer as any other garbage.
  }
  throw badRequest('continue key is not valid: it was not made by this server');
}
