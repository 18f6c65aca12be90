import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KINDS, kindByPath } from '../kinds.ts';
import type { ApiObject } from '../surface.ts';
import { humanDuration, tableOf } from './mod.ts';

const NOW = Date.UTC(2026, 0, 1, 0, 10);
const CREATED = '2026-01-01T00:00:00Z';

function cells(plural: string, object: object, group = ''): readonly unknown[] {
  const kind = kindByPath(group, 'v1', plural);
  assert.ok(kind);
  const full = { metadata: { name: 'x', creationTimestamp: CREATED }, ...object } as ApiObject;
  const { columns, rows } = tableOf(kind, [full], { includeObject: 'None', now: NOW });
  assert.equal(rows[0]?.cells.length, columns.length);
  return rows[0]?.cells ?? [];
}

function pod(
  statuses: object[],
  more: { phase?: string; status?: object; spec?: object; metadata?: object } = {},
): string[] {
  const containerStatuses = statuses.map((status) => ({ name: 'c', ready: false, restartCount: 0, ...status }));
  const object = {
    metadata: { name: 'x', creationTimestamp: CREATED, ...more.metadata },
    spec: { containers: statuses.map(() => ({ name: 'c' })), ...more.spec },
    status: { phase: more.phase ?? 'Running', containerStatuses, ...more.status },
  };
  return cells('pods', object).slice(1, 4) as string[];
}

const RUNNING = { ready: true, state: { running: {} } };
const DONE = { state: { terminated: { exitCode: 0, reason: 'Completed' } } };
const FAILED = { state: { terminated: { exitCode: 3, reason: 'Error' } } };
const READY = { conditions: [{ type: 'Ready', status: 'True' }] };

describe('a pod row', () => {
  const cases: [string, string[], string[]][] = [
    ['running', pod([RUNNING]), ['1/1', 'Running', '0']],
    ['pending without statuses', pod([], { phase: 'Pending', spec: { containers: [{}] } }), ['0/1', 'Pending', '0']],
    [
      'creating',
      pod([{ state: { waiting: { reason: 'ContainerCreating' } } }], { phase: 'Pending' }),
      ['0/1', 'ContainerCreating', '0'],
    ],
    ['done', pod([DONE], { phase: 'Succeeded' }), ['0/1', 'Completed', '0']],
    ['failed', pod([FAILED], { phase: 'Failed' }), ['0/1', 'Error', '0']],
    ['ended without a reason', pod([{ state: { terminated: { exitCode: 7 } } }]), ['0/1', 'ExitCode:7', '0']],
    ['ended by a signal', pod([{ state: { terminated: { exitCode: 137, signal: 9 } } }]), ['0/1', 'Signal:9', '0']],
    ['one done beside one that runs, ready', pod([DONE, RUNNING], { status: READY }), ['1/2', 'Running', '0']],
    ['one done beside one that runs, not ready', pod([DONE, RUNNING]), ['1/2', 'NotReady', '0']],
    ['one failed, one done', pod([DONE, FAILED]), ['0/2', 'Error', '0']],
    [
      'restarted',
      pod([
        { ...RUNNING, restartCount: 2, lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-01T00:09:30Z' } } },
      ]),
      ['1/1', 'Running', '2 (30s ago)'],
    ],
    ['deleted', pod([RUNNING], { metadata: { deletionTimestamp: CREATED } }), ['1/1', 'Terminating', '0']],
    [
      'deleted and over',
      pod([DONE], { phase: 'Succeeded', metadata: { deletionTimestamp: CREATED } }),
      ['0/1', 'Completed', '0'],
    ],
    [
      'evicted',
      pod([], { phase: 'Failed', status: { reason: 'Evicted' }, spec: { containers: [{}] } }),
      ['0/1', 'Evicted', '0'],
    ],
    [
      'gated',
      pod([], {
        phase: 'Pending',
        status: { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] },
        spec: { containers: [{}] },
      }),
      ['0/1', 'SchedulingGated', '0'],
    ],
    [
      'initialising',
      pod([{ state: { waiting: { reason: 'PodInitializing' } } }], {
        phase: 'Pending',
        spec: { initContainers: [{ name: 'i' }, { name: 'j' }] },
        status: {
          initContainerStatuses: [
            { name: 'i', restartCount: 0, ...DONE },
            { name: 'j', restartCount: 0, state: { running: {} } },
          ],
        },
      }),
      ['0/1', 'Init:1/2', '0'],
    ],
    [
      'an init container that fails',
      pod([], {
        phase: 'Pending',
        spec: { containers: [{}], initContainers: [{ name: 'i' }] },
        status: {
          initContainerStatuses: [{ name: 'i', restartCount: 4, state: { waiting: { reason: 'CrashLoopBackOff' } } }],
        },
      }),
      ['0/1', 'Init:CrashLoopBackOff', '4'],
    ],
    [
      'a sidecar',
      pod([RUNNING], {
        spec: { initContainers: [{ name: 's', restartPolicy: 'Always' }] },
        status: {
          initContainerStatuses: [{ name: 's', ready: true, started: true, restartCount: 1, state: { running: {} } }],
        },
      }),
      ['2/2', 'Running', '1'],
    ],
  ];
  for (const [what, row, wanted] of cases) it(`shows what is ${what}`, () => assert.deepEqual(row, wanted));

  it('has the wide columns', () => {
    const object = {
      spec: { containers: [], nodeName: 'n', readinessGates: [{ conditionType: 'g' }] },
      status: { podIPs: [{ ip: '127.42.0.2' }], conditions: [{ type: 'g', status: 'True' }] },
    };
    assert.deepEqual(cells('pods', object).slice(4), ['10m', '127.42.0.2', 'n', '<none>', '1/1']);
  });
});

describe('other rows', () => {
  it('shows a node', () => {
    const labels = { 'node-role.kubernetes.io/agent': '', 'kubernetes.io/role': 'b' };
    const object = {
      metadata: { name: 'n', creationTimestamp: CREATED, labels },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: 'Ready', status: 'False' }],
        addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
        nodeInfo: { kubeletVersion: 'v1' },
      },
    };
    assert.deepEqual(cells('nodes', object), [
      'n',
      'NotReady,SchedulingDisabled',
      'agent,b',
      '10m',
      'v1',
      '10.0.0.1',
      '<none>',
      '<unknown>',
      '<unknown>',
      '<unknown>',
    ]);
  });

  it('shows events of both groups alike', () => {
    const event = {
      involvedObject: { kind: 'Pod', name: 'p', fieldPath: 'spec' },
      type: 'Normal',
      reason: 'R',
      message: ' m\n',
      source: { component: 'c', host: 'h' },
      firstTimestamp: CREATED,
      lastTimestamp: '2026-01-01T00:09:00Z',
      count: 3,
    };
    const wanted = ['60s', 'Normal', 'R', 'pod/p', 'spec', 'c, h', 'm', '10m', 3, 'x'];
    assert.deepEqual(cells('events', event), wanted);
    const { involvedObject, message, source, firstTimestamp, lastTimestamp, count, ...rest } = event;
    const other = {
      ...rest,
      regarding: involvedObject,
      note: message,
      deprecatedSource: source,
      deprecatedFirstTimestamp: firstTimestamp,
      deprecatedLastTimestamp: lastTimestamp,
      deprecatedCount: count,
    };
    assert.deepEqual(cells('events', other, 'events.k8s.io'), wanted);
  });

  it('shows certificate requests by their conditions', () => {
    const spec = { signerName: 's', username: 'u', expirationSeconds: 3600 };
    const status = { conditions: [{ type: 'Approved', status: 'True' }], certificate: 'x' };
    assert.deepEqual(cells('certificatesigningrequests', { spec, status }, 'certificates.k8s.io'), [
      'x',
      '10m',
      's',
      'u',
      '60m',
      'Approved,Issued',
    ]);
    assert.equal(cells('certificatesigningrequests', { spec }, 'certificates.k8s.io')[5], 'Pending');
  });

  it('has cells for every kind that can be listed, however empty the object', () => {
    for (const kind of KINDS.filter(({ verbs }) => verbs.includes('list'))) {
      const object = {
        metadata: { name: 'x' },
        ...(kind.kind === 'CertificateSigningRequest' ? { spec: {} } : {}),
      } as ApiObject;
      const { columns, rows } = tableOf(kind, [object], { includeObject: 'Metadata', now: NOW });
      assert.equal(rows[0]?.cells.length, columns.length, kind.kind);
      assert.ok(columns.every(({ name, type }) => name !== '' && type !== ''));
    }
  });
});

describe('humanDuration()', () => {
  const cases: [number, string][] = [
    [-5, '<invalid>'],
    [-1.5, '0s'],
    [0, '0s'],
    [119, '119s'],
    [120, '2m'],
    [150, '2m30s'],
    [600, '10m'],
    [10_799, '179m'],
    [10_800, '3h'],
    [11_000, '3h3m'],
    [86_400, '24h'],
    [172_800, '2d'],
    [180_000, '2d2h'],
    [86_400 * 8, '8d'],
    [86_400 * 730, '2y'],
    [86_400 * 3000, '8y'],
  ];
  for (const [seconds, text] of cases) it(`says ${text}`, () => assert.equal(humanDuration(seconds * 1000), text));
});
