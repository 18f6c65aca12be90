/** As much of an API server as a node without pods notices, over plain HTTP, and a record of what it was asked. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KubeObject, Lease, Node as NodeObject, Pod } from '#kube/types';

export interface FakeApi extends AsyncDisposable {
  readonly url: string;
  readonly asked: string[];
  node: NodeObject | undefined;
  lease: Lease | undefined;
  readonly events: string[];
  pods: Pod[];
  /** Answers 503 to everything. */
  away: boolean;
  /** Sends a watch event for pods. */
  send(type: string, object: Pod): void;
}

export async function startFakeApi(): Promise<FakeApi> {
  const watchers = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    void answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const api: FakeApi = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    node: undefined,
    lease: undefined,
    events: [],
    pods: [],
    away: false,
    send(type, object) {
      for (const watcher of watchers) watcher.write(`${JSON.stringify({ type, object })}\n`);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += chunk;
    const url = new URL(request.url ?? '/', api.url);
    api.asked.push(`${request.method} ${url.pathname}${url.search}`);
    if (url.searchParams.has('watch') && !api.away) {
      response.writeHead(200);
      response.flushHeaders();
      watchers.add(response);
      response.on('close', () => watchers.delete(response));
      return;
    }
    const [status, body] = api.away ? failure(503, 'ServiceUnavailable') : reply(api, request.method ?? '', url, text);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  }
  return api;
}

type Reply = readonly [status: number, body: unknown];

function failure(code: number, reason: string): Reply {
  return [code, { kind: 'Status', status: 'Failure', code, reason, message: reason }];
}

function reply(api: FakeApi, method: string, { pathname }: URL, text: string): Reply {
  const body = (text === '' ? {} : JSON.parse(text)) as KubeObject;
  const of = (route: string): boolean => `${method} ${pathname.replace(/^\/apis?\//, '')}`.startsWith(route);
  if (of('POST v1/nodes')) {
    if (api.node !== undefined) return failure(409, 'AlreadyExists');
    api.node = { ...body, metadata: { ...body.metadata, uid: 'node-uid' } };
    return [201, api.node];
  }
  if (of('GET v1/nodes')) return [200, api.node];
  if (of('PATCH v1/nodes')) {
    api.node = { ...api.node, status: (body as NodeObject).status ?? {} };
    return [200, api.node];
  }
  if (of('GET coordination.k8s.io')) return api.lease === undefined ? failure(404, 'NotFound') : [200, api.lease];
  if (of('POST coordination.k8s.io') || of('PUT coordination.k8s.io')) {
    api.lease = { ...body, metadata: { ...body.metadata, uid: 'lease-uid' } };
    return [201, api.lease];
  }
  if (of('POST v1/namespaces/default/events')) {
    api.events.push((body as { reason?: string }).reason ?? '');
    return [201, body];
  }
  if (of('GET v1/pods')) return [200, { metadata: { resourceVersion: '1' }, items: api.pods }];
  return failure(404, 'NotFound');
}
