import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KINDS } from '../kinds.ts';
import { discoveryDocument } from './mod.ts';

const OPTIONS = { serverAddress: '127.0.0.1:6443' };
const V2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const KUBECTL = `${V2},application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json`;

function get(path: string, accept = 'application/json'): Record<string, unknown> {
  const answer = discoveryDocument(path, accept, OPTIONS);
  assert.ok(answer, path);
  return JSON.parse(String(answer.body));
}

describe('discoveryDocument()', () => {
  it('lists every kind in the legacy documents', () => {
    assert.deepEqual(get('/api')['versions'], ['v1']);
    const groups = (get('/apis')['groups'] as { name: string; preferredVersion: { groupVersion: string } }[]).map(
      ({ preferredVersion }) => preferredVersion.groupVersion,
    );
    const lists = [get('/api/v1'), ...groups.map((group) => get(`/apis/${group}`))];
    const found = lists.flatMap(({ resources }) => (resources as { name: string }[]).map(({ name }) => name));
    for (const { plural, subresources } of KINDS) {
      assert.ok(found.includes(plural), plural);
      for (const { name } of subresources) assert.ok(found.includes(`${plural}/${name}`));
    }
  });

  it('answers the hashes of the real server', () => {
    const resources = get('/api/v1')['resources'] as { name: string; storageVersionHash?: string }[];
    assert.equal(resources.find(({ name }) => name === 'pods')?.storageVersionHash, 'xPOwRZ+Yhw8=');
    assert.equal(resources.find(({ name }) => name === 'configmaps')?.storageVersionHash, 'qFsyl6wFWjQ=');
  });

  it('answers the aggregated form to who asks for it first', () => {
    const answer = discoveryDocument('/apis', KUBECTL, OPTIONS);
    assert.equal(answer?.contentType, V2);
    assert.equal(get('/apis', KUBECTL)['kind'], 'APIGroupDiscoveryList');
    assert.equal(get('/api', KUBECTL.split(',').reverse().join(','))['kind'], 'APIVersions');
    const [core] = get('/api', KUBECTL)['items'] as {
      versions: { resources: { resource: string; subresources?: { subresource: string }[] }[] }[];
    }[];
    const pods = core?.versions[0]?.resources.find(({ resource }) => resource === 'pods');
    assert.deepEqual(
      pods?.subresources?.map(({ subresource }) => subresource),
      ['binding', 'ephemeralcontainers', 'eviction', 'log', 'resize', 'status'],
    );
  });

  for (const path of [
    '/',
    '/api/v2',
    '/apis/none',
    '/apis/apps/v1',
    '/api/v1/pods',
    '/apis/node.k8s.io/v1/x',
    '/healthz',
  ]) {
    it(`leaves ${path} to others`, () => assert.equal(discoveryDocument(path, '', OPTIONS), undefined));
  }

  it('survives any Accept', () => {
    for (const accept of ['', ',', ';;;', 'x'.repeat(10_000), 'application/json;as=APIGroupDiscoveryList'])
      get('/apis', accept);
  });
});
