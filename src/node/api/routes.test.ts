import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ContainerStatus, Pod } from '#kube/types';
import type { LogRequest } from '../contract.ts';
import { nodeError } from '../errors.ts';
import type { ApiAnswer } from './answers.ts';
import { attributesOf } from './authorization.ts';
import { createRoutes } from './routes.ts';

const NOW = Date.UTC(2026, 0, 1);

function pod(status: Partial<ContainerStatus> | undefined): Pod {
  const shared = { image: 'i', imageID: '', ready: false, restartCount: 0 };
  return {
    metadata: { name: 'web', namespace: 'team', uid: 'u' },
    spec: { containers: [{ name: 'c', image: 'i' }] },
    status: status === undefined ? {} : { containerStatuses: [{ name: 'c', ...shared, ...status }] },
  };
}

const running = pod({ state: { running: {} }, containerID: 'wasmlet://1' });

interface Asked {
  answer: ApiAnswer;
  logs: LogRequest[];
}

async function ask(
  path: string,
  { pods = [running], method = 'GET', fail = undefined as unknown } = {},
): Promise<Asked> {
  const logs: LogRequest[] = [];
  const route = createRoutes({
    now: () => NOW,
    pods: () => pods,
    async logs(request) {
      if (fail !== undefined) throw fail;
      logs.push(request);
      return (async function* () {
        yield Buffer.from('line\n');
      })();
    },
  });
  const url = new URL(path, 'https://node');
  const { signal } = new AbortController();
  const answer = await route({
    method,
    path: url.pathname,
    query: url.searchParams,
    user: { name: 'u', groups: [] },
    signal,
  });
  return { answer, logs };
}

describe('container logs', () => {
  test('pass on what kubectl logs asks', async () => {
    const query = 'follow=true&previous=false&timestamps=1&tailLines=5&limitBytes=100&sinceSeconds=60';
    const { answer, logs } = await ask(`/containerLogs/team/web/c?${query}`);
    assert.equal(answer.status, 200);
    assert.deepEqual(logs, [
      {
        namespace: 'team',
        pod: 'web',
        container: 'c',
        follow: true,
        previous: false,
        timestamps: true,
        tailLines: 5,
        limitBytes: 100,
        since: NOW - 60_000,
      },
    ]);
  });

  test('sinceTime and the old names are understood', async () => {
    const { logs } = await ask('/containerLogs/team/web/c?tail=all&tailLines=3&sinceTime=2026-01-01T00:00:00Z&follow');
    assert.deepEqual([logs[0]?.tailLines, logs[0]?.since, logs[0]?.follow], [undefined, NOW, true]);
  });

  for (const [query, status] of [
    ['tailLines=many', 400],
    ['sinceTime=yesterday', 400],
    ['tailLines=-1', 422],
    ['limitBytes=0', 422],
    ['sinceSeconds=0', 422],
    ['sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z', 422],
    ['stream=Stderr', 400],
  ] as const) {
    test(`?${query} is ${status}`, async () => {
      assert.equal((await ask(`/containerLogs/team/web/c?${query}`)).answer.status, status);
    });
  }

  const ended = { exitCode: 1, containerID: 'wasmlet://0' };
  for (const [name, pods, path, status, words] of [
    ['no such pod', [], 'team/web/c', 404, 'pod "web" does not exist'],
    ['another namespace', [running], 'other/web/c', 404, 'pod "web" does not exist'],
    ['no such container', [running], 'team/web/x', 404, 'container "x" not found in pod "web"'],
    ['no status', [pod(undefined)], 'team/web/c', 400, 'container "c" in pod "web" is not available'],
    [
      'waiting',
      [pod({ state: { waiting: { reason: 'ContainerCreating' } } })],
      'team/web/c',
      400,
      'container "c" in pod "web" is waiting to start: ContainerCreating',
    ],
    [
      'an image that cannot be pulled',
      [pod({ state: { waiting: { reason: 'ImagePullBackOff' } } })],
      'team/web/c',
      400,
      'container "c" in pod "web" is waiting to start: trying and failing to pull image',
    ],
    [
      'no previous',
      [running],
      'team/web/c?previous=true',
      400,
      'previous terminated container "c" in pod "web" not found',
    ],
    [
      'an end without a start',
      [pod({ state: { terminated: { exitCode: 128 } } })],
      'team/web/c',
      400,
      'container "c" in pod "web" is terminated',
    ],
    ['no pod in the path', [running], 'team', 400, '{"message": "Missing podID."}'],
  ] as const) {
    test(`${name}: ${words}`, async () => {
      const { answer } = await ask(`/containerLogs/${path}`, { pods: [...pods] });
      assert.deepEqual([answer.status, answer.body], [status, words]);
    });
  }

  test('a container in back-off shows the log of its last run', async () => {
    const backOff = pod({ state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: ended } });
    assert.equal((await ask('/containerLogs/team/web/c', { pods: [backOff] })).answer.status, 200);
    assert.equal((await ask('/containerLogs/team/web/c?previous=true', { pods: [backOff] })).answer.status, 200);
  });

  test('an error of the pod side becomes its status', async () => {
    const fail = nodeError('NODE_LOG_UNAVAILABLE', 'the log is gone');
    const { answer } = await ask('/containerLogs/team/web/c', { fail });
    assert.deepEqual([answer.status, answer.body], [400, 'the log is gone']);
    assert.equal((await ask('/containerLogs/team/web/c', { fail: new Error('odd') })).answer.status, 500);
  });
});

describe('other paths', () => {
  test('pods, running pods and health', async () => {
    const waiting = pod({ state: { waiting: {} } });
    const all = JSON.parse(String((await ask('/pods', { pods: [running, waiting] })).answer.body));
    assert.deepEqual([all.kind, all.items.length], ['PodList', 2]);
    const some = JSON.parse(String((await ask('/runningpods/', { pods: [running, waiting] })).answer.body));
    assert.deepEqual(some.items, [
      { metadata: { name: 'web', namespace: 'team', uid: 'u' }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    ]);
    assert.equal((await ask('/healthz')).answer.body, 'ok');
  });

  for (const [path, method, status] of [
    ['/exec/team/web/c', 'POST', 501],
    ['/stats/summary', 'GET', 501],
    ['/metrics', 'GET', 501],
    ['/', 'GET', 404],
    ['/nowhere', 'GET', 404],
    ['/%ff', 'GET', 404],
    ['/toString', 'GET', 404],
    ['/pods', 'DELETE', 405],
    ['/containerLogs/a/b/c/d', 'GET', 404],
  ] as const) {
    test(`${method} ${path} is ${status}`, async () =>
      assert.equal((await ask(path, { method })).answer.status, status));
  }
});

describe('rights', () => {
  for (const [method, path, verb, subresources] of [
    ['GET', '/containerLogs/a/b/c', 'get', ['proxy']],
    ['GET', '/pods', 'get', ['pods', 'proxy']],
    ['GET', '/runningpods/', 'get', ['pods', 'proxy']],
    ['GET', '/podsX', 'get', ['proxy']],
    ['GET', '/healthz/ping', 'get', ['healthz', 'proxy']],
    ['GET', '/stats/summary', 'get', ['stats']],
    ['GET', '/metrics/cadvisor', 'get', ['metrics']],
    ['GET', '/logs/', 'get', ['log']],
    ['GET', '/configz', 'get', ['configz', 'proxy']],
    ['POST', '/exec/a/b/c', 'create', ['proxy']],
    ['BREW', '/pods', '', ['pods', 'proxy']],
  ] as const) {
    test(`${method} ${path} needs ${verb} on ${subresources}`, () => {
      assert.deepEqual(attributesOf(method, path), { verb, subresources });
    });
  }
});
