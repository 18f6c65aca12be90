/**
 * The node's API: which path does what. Handlers get the pod side as plain functions and know nothing of how pods run.
 * Source: kubelet `pkg/kubelet/server/server.go`.
 */
import { messageOf, WasmletError } from '#kit';
import { outcomeOf } from '#kube';
import type { Pod } from '#kube/types';
import type { PodManager } from '../contract.ts';
import { type ApiAnswer, type ApiRequest, jsonAnswer, textAnswer } from './answers.ts';
import { parseLogQuery } from './log-query.ts';
import { logRefusal } from './log-target.ts';

export interface ApiBackend extends Pick<PodManager, 'pods' | 'logs'> {
  /** Milliseconds since the epoch. */
  now(): number;
}

export type Route = (request: ApiRequest) => Promise<ApiAnswer>;

const NOT_FOUND = textAnswer(404, '404 page not found\n');

/** Known to the kubelet, not to this release: said by name, so that nobody looks for a wrong path. */
const NOT_YET: Readonly<Record<string, string>> = {
  exec: 'exec',
  attach: 'attach',
  portForward: 'port-forward',
  run: 'run',
  stats: 'stats',
  metrics: 'metrics',
  configz: 'configz',
  logs: 'node logs',
  checkpoint: 'checkpoint',
  debug: 'debug',
  statusz: 'statusz',
  flagz: 'flagz',
};

export function createRoutes(backend: ApiBackend): Route {
  return async (request) => {
    const { method, path } = request;
    const [first = '', ...rest] = path.split('/').slice(1).map(decode);
    if (Object.hasOwn(NOT_YET, first)) return textAnswer(501, `${NOT_YET[first]} is not implemented by this node\n`);
    const route = Object.hasOwn(ROUTES, first) ? ROUTES[first] : undefined;
    if (route === undefined) return NOT_FOUND;
    if (method !== 'GET' && method !== 'HEAD') return textAnswer(405, '405: Method Not Allowed\n');
    try {
      return await route(request, { backend, rest });
    } catch (error) {
      request.signal.throwIfAborted();
      return errorAnswer(error);
    }
  };
}

interface RouteContext {
  readonly backend: ApiBackend;
  /** The path's parts behind the first, decoded. */
  readonly rest: readonly string[];
}

const ROUTES: Readonly<Record<string, (request: ApiRequest, context: RouteContext) => Promise<ApiAnswer>>> = {
  healthz: async () => textAnswer(200, 'ok'),
  pods: async (_, { backend }) => podList(backend.pods()),
  runningpods: async (_, { backend }) => podList(backend.pods().flatMap(runningPart)),
  containerLogs: containerLogs,
};

async function containerLogs(request: ApiRequest, { backend, rest }: RouteContext): Promise<ApiAnswer> {
  const [namespace = '', pod = '', container = ''] = rest;
  if (rest.length > 3) return NOT_FOUND;
  if (pod === '') return textAnswer(400, '{"message": "Missing podID."}');
  if (container === '') return textAnswer(400, '{"message": "Missing container name."}');
  if (namespace === '') return textAnswer(400, '{"message": "Missing podNamespace."}');
  const options = parseLogQuery(request.query, backend.now());
  if ('status' in options) return options;
  const found = backend.pods().find(({ metadata }) => metadata?.namespace === namespace && metadata.name === pod);
  const refusal = logRefusal(found, { pod, container, previous: options.previous });
  if (refusal !== undefined) return refusal;
  const body = await backend.logs({ namespace, pod, container, ...options }, { signal: request.signal });
  return { status: 200, type: 'text/plain', body };
}

function podList(items: readonly Pod[]): ApiAnswer {
  return jsonAnswer({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items });
}

/** A pod as the runtime sees it: what runs, and nothing of the rest. */
function runningPart({ metadata, spec, status }: Pod): Pod[] {
  const running = new Set(
    (status?.containerStatuses ?? []).filter(({ state }) => state?.running !== undefined).map(({ name }) => name),
  );
  const containers = (spec?.containers ?? [])
    .filter(({ name }) => running.has(name))
    .map(({ name, image }) => (image === undefined ? { name } : { name, image }));
  if (containers.length === 0) return [];
  const { name, namespace, uid } = metadata ?? {};
  return [{ metadata: Object.fromEntries(Object.entries({ name, namespace, uid })), spec: { containers } }];
}

function errorAnswer(error: unknown): ApiAnswer {
  const status = error instanceof WasmletError ? (outcomeOf(error.code).status ?? 500) : 500;
  return textAnswer(status, messageOf(error).replaceAll('\n', ' '));
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
