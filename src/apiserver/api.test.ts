import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { NODES, PODS } from '#kube';
import type { Pod } from '#kube/types';
import { type Harness, podNamed, readyNode, startHarness } from './api-harness.fixture.ts';

const IN_DEFAULT = '/api/v1/namespaces/default';
let api: Harness;
before(async () => {
  api = await startHarness();
});
after(() => api[Symbol.asyncDispose]());

async function makeConfigMaps(names: readonly string[], labels: Record<string, string>): Promise<void> {
  for (const name of names) {
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels }, data: { a: name } };
    assert.equal((await api.ask('POST', `${IN_DEFAULT}/configmaps`, { body })).code, 201);
  }
}

describe('errors', () => {
  it('are worded as the real ones', async () => {
    const missing = await api.ask('GET', `${IN_DEFAULT}/pods/x`);
    assert.equal(missing.code, 404);
    assert.equal(missing.body['message'], 'pods "x" not found');
    assert.deepEqual(missing.body['details'], { name: 'x', kind: 'pods' });
    const lease = await api.ask('GET', '/apis/coordination.k8s.io/v1/namespaces/default/leases/x');
    assert.equal(lease.body['message'], 'leases.coordination.k8s.io "x" not found');
    const path = await api.ask('GET', '/api/v1/namespaces/default/nothings');
    assert.equal(path.body['message'], 'the server could not find the requested resource');
  });

  it('name what this node has not', async () => {
    for (const what of ['exec', 'attach', 'portforward']) {
      const { code, body } = await api.ask('POST', `${IN_DEFAULT}/pods/x/${what}`);
      assert.deepEqual([code, body['message']], [501, `${what} is not implemented by this node`]);
    }
  });

  it('answer garbage as a client error and go on', async () => {
    const cases: [method: string, path: string, options: object, code: number][] = [
      ['POST', `${IN_DEFAULT}/pods`, { body: '{' }, 400],
      ['POST', `${IN_DEFAULT}/pods`, { body: '[]' }, 400],
      ['POST', `${IN_DEFAULT}/pods`, { body: 'null' }, 400],
      [
        'POST',
        `${IN_DEFAULT}/pods`,
        { body: 'x', headers: { 'content-type': 'application/vnd.kubernetes.protobuf' } },
        400,
      ],
      ['POST', `${IN_DEFAULT}/pods`, { body: 'x', headers: { 'content-type': 'text/html' } }, 415],
      ['GET', `${IN_DEFAULT}/pods`, { headers: { accept: 'application/vnd.kubernetes.protobuf' } }, 406],
      ['GET', `${IN_DEFAULT}/pods?limit=x`, {}, 400],
      ['GET', `${IN_DEFAULT}/pods?continue=x`, {}, 400],
      ['GET', `${IN_DEFAULT}/pods?labelSelector=a%20b%20c`, {}, 400],
      ['GET', `${IN_DEFAULT}/pods?fieldSelector=no.such=x`, {}, 400],
      ['GET', `${IN_DEFAULT}/pods?resourceVersion=x`, {}, 422],
      ['GET', `${IN_DEFAULT}/pods?resourceVersion=999999999`, {}, 504],
      ['GET', '/api/v1/namespaces/%zz/pods', {}, 400],
      ['PUT', `${IN_DEFAULT}/pods`, { body: podNamed('a') }, 405],
      ['PATCH', `${IN_DEFAULT}/pods/a`, { body: {}, headers: { 'content-type': 'application/json' } }, 415],
      ['POST', `${IN_DEFAULT}/pods?dryRun=Some`, { body: podNamed('a') }, 422],
      ['POST', '/api/v1/namespaces/nowhere/pods', { body: podNamed('a') }, 404],
      ['POST', `${IN_DEFAULT}/pods`, { body: `{"metadata":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}` }, 400],
    ];
    for (const [method, path, options, code] of cases) {
      const answer = await api.ask(method, path, options);
      assert.equal(answer.code, code, `${method} ${path} ${answer.text.slice(0, 200)}`);
      assert.equal(answer.body.kind, 'Status');
    }
  });

  it('refuse a body that is too large', async () => {
    const body = `{"metadata":{"name":"${'x'.repeat(4 << 20)}"}}`;
    assert.equal((await api.ask('POST', `${IN_DEFAULT}/configmaps`, { body })).code, 413);
  });
});

describe('writes', () => {
  it('are refused when the object has changed since it was read', async () => {
    await makeConfigMaps(['raced'], {});
    const read = (await api.ask('GET', `${IN_DEFAULT}/configmaps/raced`)).body;
    const first = await api.ask('PUT', `${IN_DEFAULT}/configmaps/raced`, { body: { ...read, data: { a: '1' } } });
    assert.equal(first.code, 200);
    const second = await api.ask('PUT', `${IN_DEFAULT}/configmaps/raced`, { body: { ...read, data: { a: '2' } } });
    assert.equal(second.code, 409);
    assert.equal(
      second.body['message'],
      'Operation cannot be fulfilled on configmaps "raced": the object has been modified; please apply your changes to the latest version and try again',
    );
  });

  it('that change nothing keep the resourceVersion', async () => {
    await makeConfigMaps(['same'], {});
    const read = (await api.ask('GET', `${IN_DEFAULT}/configmaps/same`)).body;
    const again = await api.ask('PUT', `${IN_DEFAULT}/configmaps/same`, { body: read });
    assert.equal(again.body.metadata.resourceVersion, read.metadata.resourceVersion);
  });

  it('make names, and none in a dry run', async () => {
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'made-' } };
    const made = await api.ask('POST', `${IN_DEFAULT}/configmaps`, { body });
    assert.match(made.body.metadata.name ?? '', /^made-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    const dry = await api.ask('POST', `${IN_DEFAULT}/configmaps?dryRun=All`, {
      body: { ...body, metadata: { name: 'dry' } },
    });
    assert.equal(dry.code, 201);
    assert.equal((await api.ask('GET', `${IN_DEFAULT}/configmaps/dry`)).code, 404);
  });

  it('of one group of events are seen by the other', async () => {
    const body = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'e1', namespace: 'default' },
      regarding: { kind: 'Pod', name: 'p', namespace: 'default' },
      note: 'words',
      reason: 'Why',
      action: 'What',
      type: 'Normal',
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'example.com/c',
      reportingInstance: 'c1',
    };
    const made = await api.ask('POST', '/apis/events.k8s.io/v1/namespaces/default/events', { body });
    assert.equal(made.code, 201, made.text);
    const core = (await api.ask('GET', `${IN_DEFAULT}/events/e1`)).body;
    assert.equal(core['message'], 'words');
    assert.deepEqual(core['involvedObject'], body.regarding);
    const found = await api.ask('GET', `${IN_DEFAULT}/events?fieldSelector=involvedObject.name=p`);
    assert.equal((found.body['items'] as unknown[]).length, 1);
  });
});

describe('lists', () => {
  it('come in pages of one revision', async () => {
    await makeConfigMaps(['page-a', 'page-b', 'page-c', 'page-d'], { page: 'yes' });
    const query = 'labelSelector=page=yes&limit=2';
    const first = (await api.ask('GET', `${IN_DEFAULT}/configmaps?${query}`)).body;
    await api.ask('DELETE', `${IN_DEFAULT}/configmaps/page-c`);
    await makeConfigMaps(['page-cc'], { page: 'yes' });
    const token = encodeURIComponent((first.metadata as { continue?: string }).continue ?? '');
    const second = (await api.ask('GET', `${IN_DEFAULT}/configmaps?${query}&continue=${token}`)).body;
    const names = [first, second].flatMap(({ items }) =>
      (items as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name),
    );
    assert.deepEqual(names, ['page-a', 'page-b', 'page-c', 'page-d']);
    assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
  });

  it('come as tables and as metadata', async () => {
    const table = await api.ask('GET', `${IN_DEFAULT}/configmaps`, {
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' },
    });
    assert.equal(table.body.kind, 'Table');
    const partial = await api.ask('GET', `${IN_DEFAULT}/configmaps`, {
      headers: { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' },
    });
    assert.equal(partial.body.kind, 'PartialObjectMetadataList');
  });
});

describe('watches', () => {
  it('begin with what is there, say where that ends, and go on', async () => {
    await makeConfigMaps(['w-1'], { watch: 'a' });
    const stop = new AbortController();
    const seen: string[] = [];
    const options = {
      namespace: 'default',
      labelSelector: 'watch=a',
      sendInitialEvents: true,
      resourceVersionMatch: 'NotOlderThan',
      allowWatchBookmarks: true,
      signal: stop.signal,
    } as const;
    const resource = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true };
    for await (const event of api.admin.watch(resource, options)) {
      const { metadata } = event.object as { metadata?: { name?: string; annotations?: Record<string, string> } };
      seen.push(`${event.type} ${metadata?.name ?? metadata?.annotations?.['k8s.io/initial-events-end']}`);
      if (event.type === 'BOOKMARK') {
        await makeConfigMaps(['w-2'], { watch: 'a' });
        await makeConfigMaps(['w-other'], { watch: 'b' });
        const patch = { type: 'merge', body: { metadata: { labels: { watch: 'b' } } } } as const;
        await api.admin.patch(resource, { namespace: 'default', name: 'w-1' }, patch);
        await api.admin.delete(resource, { namespace: 'default', name: 'w-2' });
      }
      if (seen.length === 5) break;
    }
    stop.abort();
    assert.deepEqual(seen, ['ADDED w-1', 'BOOKMARK true', 'ADDED w-2', 'DELETED w-1', 'DELETED w-2']);
  });

  it('answer WatchList without its match as invalid', async () => {
    const answer = await api.ask('GET', `${IN_DEFAULT}/pods?watch=true&sendInitialEvents=true&timeoutSeconds=1`);
    assert.equal(answer.code, 422);
    assert.match(answer.text, /sendInitialEvents requires setting resourceVersionMatch to NotOlderThan/);
  });
});

describe('pods', () => {
  it('change their resources by `resize` alone', async () => {
    const pod = podNamed('resized');
    const { spec } = pod as unknown as { spec: { containers: { name: string; image: string }[] } };
    const [first] = spec.containers;
    const resources = (cpu: string) => ({ requests: { cpu }, limits: { cpu: '1' } });
    const containers = [{ ...first, resources: resources('100m') }];
    const made = await api.ask('POST', `${IN_DEFAULT}/pods`, { body: { ...pod, spec: { ...spec, containers } } });
    assert.equal(made.code, 201, made.text);
    const patch = {
      body: { spec: { containers: [{ name: first?.name, image: 'other', resources: resources('300m') }] } },
      headers: { 'content-type': 'application/strategic-merge-patch+json' },
    };
    assert.equal((await api.ask('PATCH', `${IN_DEFAULT}/pods/resized`, patch)).code, 422);
    const changed = await api.ask('PATCH', `${IN_DEFAULT}/pods/resized/resize`, patch);
    assert.equal(changed.code, 200, changed.text);
    assert.equal(changed.body.metadata.generation, made.body.metadata.generation + 1);
    assert.deepEqual(changed.body.spec.containers[0].resources, resources('300m'));
    assert.equal(changed.body.spec.containers[0].image, first?.image);
    changed.body.spec.containers[0].resources = resources('200m');
    const put = await api.ask('PUT', `${IN_DEFAULT}/pods/resized/resize`, { body: changed.body });
    assert.deepEqual(put.body.spec?.containers[0].resources, resources('200m'), put.text);
    changed.body.spec.containers[0].resources = { requests: { cpu: '200m' } };
    delete changed.body.metadata.resourceVersion;
    const refused = await api.ask('PUT', `${IN_DEFAULT}/pods/resized/resize`, { body: changed.body });
    assert.equal(refused.code, 422);
    assert.match(refused.text, /resource limits cannot be removed/);
    await api.ask('DELETE', `${IN_DEFAULT}/pods/resized`, { body: { gracePeriodSeconds: 0 } });
  });

  it('get a node, wait for it when they are deleted, and go at its word', async () => {
    await api.ask('DELETE', '/api/v1/nodes/n1');
    const created = await api.ask('POST', `${IN_DEFAULT}/pods`, { body: podNamed('p1') });
    assert.equal(created.code, 201, created.text);
    assert.match(created.text, /kube-api-access-/);
    await api.node.create(NODES, readyNode());
    const bound = await waitForPod('p1', (pod) => pod.spec?.nodeName === 'n1');
    const uid = bound.metadata?.uid ?? '';
    const deleted = await api.ask('DELETE', `${IN_DEFAULT}/pods/p1`, { body: { gracePeriodSeconds: 7 } });
    assert.equal(deleted.body.metadata.deletionGracePeriodSeconds, 7);
    assert.equal((await api.ask('GET', `${IN_DEFAULT}/pods/p1`)).code, 200);
    const other = { gracePeriodSeconds: 0, preconditions: { uid: 'another' } };
    assert.equal((await api.ask('DELETE', `${IN_DEFAULT}/pods/p1`, { body: other, as: api.node })).code, 409);
    await api.node.delete(
      PODS,
      { namespace: 'default', name: 'p1' },
      { gracePeriodSeconds: 0, preconditions: { uid } },
    );
    assert.equal((await api.ask('GET', `${IN_DEFAULT}/pods/p1`)).code, 404);
  });

  it('that fit nowhere say why', async () => {
    const wants = { containers: [{ name: 'c', image: 'x', resources: { requests: { cpu: '64' } } }] };
    await api.ask('POST', `${IN_DEFAULT}/pods`, { body: podNamed('big', wants) });
    const pod = await waitForPod(
      'big',
      ({ status }) => status?.conditions?.some(({ type }) => type === 'PodScheduled') === true,
    );
    const message = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')?.message ?? '';
    assert.equal(
      message,
      '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
    );
    assert.equal((await api.ask('DELETE', `${IN_DEFAULT}/pods/big`)).code, 200);
    assert.equal((await api.ask('GET', `${IN_DEFAULT}/pods/big`)).code, 404);
  });
});

async function waitForPod(name: string, holds: (pod: Pod) => boolean): Promise<Pod> {
  const options = { namespace: 'default', fieldSelector: `metadata.name=${name}`, timeoutSeconds: 10 };
  for await (const event of api.admin.watch<Pod>(PODS, options)) {
    const pod = event.object as Pod;
    if (event.type !== 'ERROR' && event.type !== 'BOOKMARK' && holds(pod)) return pod;
  }
  throw new Error(`the pod ${name} did not get there`);
}

describe('owners and namespaces', () => {
  it('take what is theirs with them', async () => {
    await makeConfigMaps(['owner'], {});
    const owner = (await api.ask('GET', `${IN_DEFAULT}/configmaps/owner`)).body;
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid ?? '' }];
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owned', ownerReferences } };
    await api.ask('POST', `${IN_DEFAULT}/configmaps`, { body });
    const answer = await api.ask('DELETE', `${IN_DEFAULT}/configmaps/owner`, {
      body: { propagationPolicy: 'Foreground' },
    });
    assert.equal(answer.code, 202);
    await gone(`${IN_DEFAULT}/configmaps/owner`);
    await gone(`${IN_DEFAULT}/configmaps/owned`);
  });

  it('keep what is orphaned', async () => {
    await makeConfigMaps(['parent'], {});
    const owner = (await api.ask('GET', `${IN_DEFAULT}/configmaps/parent`)).body;
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'parent', uid: owner.metadata.uid ?? '' }];
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'orphan', ownerReferences } };
    await api.ask('POST', `${IN_DEFAULT}/configmaps`, { body });
    await api.ask('DELETE', `${IN_DEFAULT}/configmaps/parent?propagationPolicy=Orphan`);
    await gone(`${IN_DEFAULT}/configmaps/parent`);
    const orphan = await api.ask('GET', `${IN_DEFAULT}/configmaps/orphan`);
    assert.equal(orphan.body.metadata.ownerReferences, undefined);
  });

  it('a namespace empties itself, and nothing new comes in meanwhile', async () => {
    await api.ask('POST', '/api/v1/namespaces', { body: { metadata: { name: 'short' } } });
    const held = { metadata: { name: 'held', finalizers: ['example.com/hold'] } };
    await api.ask('POST', '/api/v1/namespaces/short/configmaps', { body: held });
    assert.equal((await api.ask('DELETE', '/api/v1/namespaces/short')).body['status']?.['phase'], 'Terminating');
    const late = await api.ask('POST', '/api/v1/namespaces/short/configmaps', { body: { metadata: { name: 'late' } } });
    assert.equal(late.code, 403);
    assert.match(late.text, /unable to create new content in namespace short because it is being terminated/);
    const patch = { metadata: { finalizers: null } };
    const headers = { 'content-type': 'application/merge-patch+json' };
    await api.ask('PATCH', '/api/v1/namespaces/short/configmaps/held', { body: patch, headers });
    await gone('/api/v1/namespaces/short');
  });
});

async function gone(path: string): Promise<void> {
  for (let tried = 0; tried < 200; tried++) {
    if ((await api.ask('GET', path)).code === 404) return;
  }
  assert.fail(`${path} is still there`);
}
