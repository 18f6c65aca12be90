/** How calls are said: query strings, media types, and the object's name in a message. */
import type { ListOptions, PatchType, Resource, Target, WatchOptions, WriteOptions } from '../client.ts';

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** `?a=b&c=d`, or nothing; entries without a value are left out. */
export function queryOf(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') search.append(name, String(value));
  }
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

function selection({ labelSelector, fieldSelector, limit, resourceVersion, resourceVersionMatch }: ListOptions): Query {
  return { labelSelector, fieldSelector, limit, resourceVersion, resourceVersionMatch };
}

export function listQuery(options: ListOptions): string {
  return queryOf({ ...selection(options), continue: options.continue });
}

export function watchQuery(options: WatchOptions): string {
  const { sendInitialEvents, allowWatchBookmarks, timeoutSeconds } = options;
  return queryOf({ watch: true, ...selection(options), sendInitialEvents, allowWatchBookmarks, timeoutSeconds });
}

export function writeQuery({ dryRun, fieldManager, fieldValidation }: WriteOptions, more: Query = {}): string {
  return queryOf({ dryRun: dryRun === true ? 'All' : undefined, fieldManager, fieldValidation, ...more });
}

/** Source: apimachinery `pkg/types/patch.go`. */
const PATCH_MEDIA_TYPES: Readonly<Record<PatchType, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

export function patchMediaType(type: PatchType): string {
  return PATCH_MEDIA_TYPES[type];
}

/** `pods 'default/a'`, `pods/status 'default/a'`, `nodes 'n'`, `pods` without a name. */
export function describeTarget({ plural }: Resource, { namespace, name, subresource }: Partial<Target>): string {
  const what = subresource === undefined ? plural : `${plural}/${subresource}`;
  if (name === undefined || name === '') return what;
  return namespace === undefined ? `${what} '${name}'` : `${what} '${namespace}/${name}'`;
}
