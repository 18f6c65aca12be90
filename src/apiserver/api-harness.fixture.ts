/** A whole API server in this process, on a free port, and clients for it: what the HTTP-level tests share. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type HttpKubeClient, type RawResponse } from '#kube';
import type { KeyPair } from '#kube/certificates';
import { type RunningApi, type RunOptions, runApiServer } from './server/run.ts';
import type { ApiObject } from './surface.ts';

export interface Harness extends AsyncDisposable {
  readonly running: RunningApi;
  readonly admin: HttpKubeClient;
  readonly node: HttpKubeClient;
  /** Status code and parsed body of one request as the administrator. */
  ask(method: string, path: string, options?: AskOptions): Promise<Answer>;
}

export interface AskOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly as?: HttpKubeClient;
}

export interface Answer {
  readonly code: number;
  readonly headers: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever was answered
  readonly body: any;
  readonly text: string;
}

export async function startHarness(options: Partial<RunOptions> = {}): Promise<Harness> {
  const dataDir = mkdtempSync(join(tmpdir(), 'wasmlet-api-'));
  const node = { name: 'n1', addresses: ['127.0.0.1'] };
  const running = await runApiServer({ dataDir, port: 0, node, ...options });
  const clientOf = (pair: KeyPair | undefined) => {
    return connect({ server: running.facts.url, ca: running.facts.ca, identity: () => pair });
  };
  const admin = clientOf(running.pki.admin);
  const ownNode = clientOf(running.pki.node?.client);
  return {
    running,
    admin,
    node: ownNode,
    async ask(method, path, { body, headers = {}, as = admin } = {}) {
      const init = {
        method,
        headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      };
      return answerOf(await as.raw(path, init));
    },
    async [Symbol.asyncDispose]() {
      await admin[Symbol.asyncDispose]();
      await ownNode[Symbol.asyncDispose]();
      await running[Symbol.asyncDispose]();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function answerOf(response: RawResponse): Promise<Answer> {
  const text = await response.text();
  const isJson = text.startsWith('{');
  return { code: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : {}, text };
}

export function podNamed(name: string, spec: Record<string, unknown> = {}): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'c', image: 'registry.example/x:1' }], ...spec },
  };
}

export function readyNode(name = 'n1'): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    status: {
      capacity: { cpu: '2', memory: '4Gi', pods: '110' },
      allocatable: { cpu: '2', memory: '4Gi', pods: '110' },
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      conditions: [
        { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' },
      ],
    },
  };
}
