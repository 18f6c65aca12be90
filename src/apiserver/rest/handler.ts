/** One request to one reply: whose it is, what it is about, whether it may be, and what is done. The order is the API server's own. */
import type { DeleteOptions } from '#kube/types';
import { authorize, authorizePath, isPublicPath, refusalWords } from '../access/authorize.ts';
import { ANONYMOUS, type User } from '../access/user.ts';
import type { KindRow } from '../kinds.ts';
import { answerReview } from '../reviews/mod.ts';
import { badRequest, forbidden, invalid, methodNotSupported, notFound, StatusError, unauthorized } from '../status.ts';
import type { Entry } from '../store/collection.ts';
import { bindPod } from '../subresources/binding.ts';
import { evictPod } from '../subresources/eviction.ts';
import { logReply } from '../subresources/log.ts';
import { requestToken } from '../subresources/token.ts';
import type { FieldValidation } from '../surface.ts';
import { type Api, type ObjectAddress, placeOf, type WriteContext, type Written } from './api.ts';
import { readBody, readPatch } from './body.ts';
import { textOf } from './codec.ts';
import { metadataText, tableText } from './forms.ts';
import { listText, pageOf } from './list.ts';
import { formOf } from './media.ts';
import { publicReply } from './paths.ts';
import { removeObject, removeOptionsOf } from './remove.ts';
import { type ApiRequest, type Reply, type ResourceTarget, targetOf } from './request.ts';
import { selectionOf } from './select.ts';
import { watchReply } from './watch.ts';
import { createObject, patchObject, updateObject } from './write.ts';

export async function handle(api: Api, request: ApiRequest): Promise<Reply> {
  const { user, path, method } = request;
  if (user === ANONYMOUS && !isPublicPath(path)) throw unauthorized();
  const target = targetOf(request);
  if (target === undefined) {
    const verb = method === 'GET' || method === 'HEAD' ? 'get' : method.toLowerCase();
    if (!authorizePath(user, { verb, path }).allowed) {
      throw new StatusError(
        403,
        'Forbidden',
        `forbidden: User ${JSON.stringify(user.name)} cannot ${verb} path ${JSON.stringify(path)}`,
        {},
      );
    }
    return publicReply(api, request);
  }
  mustBeAllowed(api, user, { target, request });
  const { kind, subresource, verb } = target;
  const nameless = target.name === '' && (verb === 'update' || verb === 'patch' || verb === 'get');
  if (nameless || !(subresource?.verbs ?? kind.verbs).includes(verb))
    throw methodNotSupported(kind, request.method.toLowerCase());
  return ACTIONS[verb](api, target, request);
}

function mustBeAllowed(
  api: Api,
  user: User,
  { target, request }: { target: ResourceTarget; request: ApiRequest },
): void {
  const { kind, subresource, verb, namespace, name } = target;
  if (user.groups.includes('system:masters')) return;
  const many = verb === 'list' || verb === 'watch' || verb === 'deletecollection';
  const fields = many ? selectionOf(kind, request.query).fields : [];
  const attributes = {
    verb,
    group: kind.group,
    resource: kind.plural,
    subresource: subresource?.name ?? '',
    namespace,
    name,
    fields,
  };
  const { allowed, reason } = authorize(api, user, attributes);
  if (!allowed) throw forbidden(kind, name, refusalWords(user, attributes, reason));
}

type Action = (api: Api, target: ResourceTarget, request: ApiRequest) => Reply | Promise<Reply>;

const ACTIONS: Readonly<Record<ResourceTarget['verb'], Action>> = {
  get: (api, target, request) => {
    if (target.subresource?.name === 'log') return logReply(api, target, request);
    const entry = api.store.get(placeOf(target));
    if (entry === undefined) throw notFound(target.kind, target.name);
    return objectReply(api, { kind: target.kind, entry, request, status: 200 });
  },
  list: (api, target, { query, headers }) =>
    jsonReply(200, listText(api, target, { query, form: formOf(text(headers['accept'])) })),
  watch: (api, target, { query, headers, signal }) => {
    const form = formOf(text(headers['accept']));
    if (target.name === '') return watchReply(api, { ...target, query, form, signal });
    const one = new URLSearchParams(query);
    one.set('fieldSelector', `metadata.name=${target.name}`);
    return watchReply(api, { ...target, query: one, form, signal });
  },
  create: create,
  async update(api, target, request) {
    const { kind, subresource } = target;
    const context = contextOf(request);
    const { value, text: raw } = await readBody(request);
    const decoded = api.surface.decode({ kind, subresource }, value, {
      fieldValidation: context.fieldValidation,
      text: raw,
    });
    return writtenReply(api, target, { written: updateObject(api, target, { ...decoded, ...context }), request });
  },
  async patch(api, target, request) {
    const context = contextOf(request);
    const patch = await readPatch(request);
    const { query } = request;
    if (patch.type === 'apply' && (query.get('fieldManager') ?? '') === '') {
      const message = 'Required value: is required for apply patch';
      throw invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [
        { field: 'fieldManager', reason: 'FieldValueRequired', message },
      ]);
    }
    const force = query.get('force') === 'true';
    const written = patchObject(api, target, { ...context, type: patch.type, body: patch.value, force });
    return writtenReply(api, target, { written, request });
  },
  async delete(api, target, request) {
    const { dryRun } = contextOf(request);
    const options = { ...removeOptionsOf(await deleteOptions(request), request.query), dryRun };
    const removed = removeObject(api, target, options);
    if ('status' in removed) return jsonReply(200, `${JSON.stringify(removed.status)}\n`);
    const waits = !removed.gone && options.propagationPolicy === 'Foreground';
    return jsonReply(waits ? 202 : 200, `${JSON.stringify(removed.object)}\n`);
  },
  async deletecollection(api, target, request) {
    const { dryRun } = contextOf(request);
    const options = { ...removeOptionsOf(await deleteOptions(request), request.query), dryRun };
    const page = pageOf(api, target, request.query);
    const reply = listText(api, target, { query: request.query, form: 'object' });
    for (const entry of page.entries) {
      const address = { kind: target.kind, namespace: entry.namespace, name: entry.name };
      if (api.store.get(placeOf(address)) !== undefined) removeObject(api, address, options);
    }
    return jsonReply(200, reply);
  },
};

async function create(api: Api, target: ResourceTarget, request: ApiRequest): Promise<Reply> {
  const { kind, subresource, namespace } = target;
  const context = contextOf(request);
  const { user } = request;
  const { value, text: raw } = await readBody(request);
  const decoded = api.surface.decode({ kind, subresource }, value, {
    fieldValidation: context.fieldValidation,
    text: raw,
  });
  const { object } = decoded;
  if (kind.storage === undefined)
    return jsonReply(201, `${JSON.stringify(answerReview(api, { kind, namespace, object, user }))}\n`);
  if (subresource === undefined) {
    if (target.name !== '') throw methodNotSupported(kind, 'post');
    return writtenReply(api, target, { written: createObject(api, target, { ...decoded, ...context }), request });
  }
  if (subresource.name === 'token')
    return jsonReply(201, `${JSON.stringify(requestToken(api, target, { object, user }))}\n`);
  if (subresource.name === 'binding' && !context.dryRun) bindPod(api, target, object);
  if (subresource.name === 'eviction') evictPod(api, target, { object, dryRun: context.dryRun });
  return jsonReply(201, `${JSON.stringify(SUCCESS)}\n`);
}

const SUCCESS = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };

async function deleteOptions(request: ApiRequest): Promise<DeleteOptions> {
  const bytes = await request.body();
  if (bytes.length === 0) return {};
  const { value } = await readBody({ ...request, body: async () => bytes });
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badRequest('the body is not DeleteOptions');
  const options = value as DeleteOptions;
  if (options.gracePeriodSeconds !== undefined && !Number.isSafeInteger(options.gracePeriodSeconds)) {
    throw badRequest('DeleteOptions.gracePeriodSeconds: not a number of seconds');
  }
  return options;
}

/** `dryRun`, `fieldManager` and `fieldValidation` of the query, checked. */
function contextOf({ query, user, headers }: ApiRequest): WriteContext {
  const dryRun = query.getAll('dryRun');
  if (dryRun.some((value) => value !== 'All')) {
    const message = `Unsupported value: ${JSON.stringify(dryRun[0])}: supported values: "All"`;
    throw invalid({ group: 'meta.k8s.io', kind: 'CreateOptions' }, '', [
      { field: 'dryRun', reason: 'FieldValueNotSupported', message },
    ]);
  }
  const fieldValidation = query.get('fieldValidation') ?? '';
  if (!['', 'Ignore', 'Warn', 'Strict'].includes(fieldValidation)) {
    const message = `Unsupported value: ${JSON.stringify(fieldValidation)}: supported values: "Ignore", "Strict", "Warn"`;
    throw invalid({ group: 'meta.k8s.io', kind: 'CreateOptions' }, '', [
      { field: 'fieldValidation', reason: 'FieldValueNotSupported', message },
    ]);
  }
  return {
    user,
    dryRun: dryRun.length > 0,
    fieldManager: managerOf(query.get('fieldManager') ?? '', text(headers['user-agent']) ?? ''),
    fieldValidation: fieldValidation === '' ? 'Warn' : (fieldValidation as FieldValidation),
  };
}

/** Without a name given, the program's: `kubectl/v1.35.4 (linux/amd64)` is `kubectl`. */
function managerOf(given: string, agent: string): string {
  if (given.length > 128) {
    const message = 'Too long: may not be more than 128 bytes';
    throw invalid({ group: 'meta.k8s.io', kind: 'CreateOptions' }, '', [
      { field: 'fieldManager', reason: 'FieldValueTooLong', message },
    ]);
  }
  if (given !== '') return given;
  const program =
    agent
      .split('/')[0]
      ?.replace(/[^\x20-\x7e]/g, '')
      .slice(0, 128) ?? '';
  return program === '' ? 'unknown' : program;
}

interface ObjectReply {
  readonly kind: KindRow;
  readonly entry: Entry;
  readonly request: ApiRequest;
  readonly status: number;
}

function objectReply(api: Api, { kind, entry, request, status }: ObjectReply, warnings: readonly string[] = []): Reply {
  const form = formOf(text(request.headers['accept']));
  const headers = warnings.length === 0 ? {} : { warning: warnings.map(warningHeader) };
  if (form === 'metadata') return { ...jsonReply(status, `${metadataText(kind, entry)}\n`), headers };
  if (form === 'object') return { ...jsonReply(status, `${textOf(kind, entry)}\n`), headers };
  const meta = JSON.stringify({ resourceVersion: String(entry.revision) });
  return { ...jsonReply(status, tableText(api, { kind, query: request.query, entries: [entry], meta })), headers };
}

function writtenReply(
  api: Api,
  { kind }: ObjectAddress,
  { written, request }: { written: Written; request: ApiRequest },
): Reply {
  return objectReply(
    api,
    { kind, entry: written.entry, request, status: written.created ? 201 : 200 },
    written.warnings,
  );
}

/** RFC 7234 section 5.5. */
function warningHeader(words: string): string {
  const plain = words.replace(/[^\x20-\x7e]/g, '?').slice(0, 512);
  return `299 - ${JSON.stringify(plain)}`;
}

export function jsonReply(status: number, body: string): Reply {
  return { status, contentType: 'application/json', body };
}

function text(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value;
}
