import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { FakeClock, silentLog } from '#kit';
import { ApiStatusError } from '#kube';
import type { ConfigMap, Secret, Volume, VolumeMount } from '#kube/types';
import { podOf } from '../pod/fixture.ts';
import { placesOf } from '../pod/places.ts';
import type { ObjectSource } from './contract.ts';
import { VOLUME_TYPES, Volumes, volumeMounts } from './mod.ts';

const facts = { hostIPs: ['10.0.0.1'], podIPs: ['10.0.0.2'], allocatable: { cpu: '4' } };
const base64 = (text: string) => Buffer.from(text).toString('base64');
const root = mkdtempSync(join(tmpdir(), 'wasmlet-volumes-'));
after(() => rmSync(root, { recursive: true }));

let dataDir = '';
let clock = new FakeClock();
let configMaps: Record<string, ConfigMap> = {};
let secrets: Record<string, Secret> = {};
let tokens = 0;
let away = false;

function notFound(name: string): ApiStatusError {
  return new ApiStatusError(`"${name}" not found`, { status: { reason: 'NotFound' }, httpStatus: 404 });
}

const objects: ObjectSource = {
  async configMap(_, name) {
    const found = configMaps[name];
    if (found === undefined) throw notFound(name);
    return found;
  },
  async secret(_, name) {
    const found = secrets[name];
    if (found === undefined) throw notFound(name);
    return found;
  },
  async token(pod, { audience, expirationSeconds }) {
    if (away) throw new Error('the server is away');
    const expirationTimestamp = new Date(clock.now() + expirationSeconds * 1000).toISOString();
    return { token: `${pod.metadata?.uid} ${audience ?? 'api'} ${++tokens}`, expirationTimestamp };
  },
};

beforeEach(() => {
  dataDir = mkdtempSync(join(root, 'data-'));
  clock = new FakeClock();
  configMaps = { cfg: { data: { a: '1', b: '2' }, binaryData: { c: base64('\u0000x') } } };
  secrets = { sec: { data: { password: base64('geheim') } } };
  tokens = 0;
  away = false;
});

const podWith = (...volumes: Volume[]) =>
  podOf({ volumes, containers: [{ name: 'main' }] }, { labels: { app: 'web' } });
const volumes = () => new Volumes({ dataDir, objects, clock, log: silentLog, refreshEvery: 60_000 });
const pathOf = (plugin: string) => placesOf(podOf(), dataDir).volume(plugin, 'v');
const read = (plugin: string, file: string) => readFileSync(join(pathOf(plugin), file), 'utf8');

const SAMPLES: Readonly<Record<string, Volume>> = {
  emptyDir: { name: 'v', emptyDir: {} },
  configMap: { name: 'v', configMap: { name: 'cfg' } },
  secret: { name: 'v', secret: { secretName: 'sec' } },
  downwardAPI: { name: 'v', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
  projected: { name: 'v', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } },
};

describe('every volume type', () => {
  for (const type of VOLUME_TYPES) {
    const sample = SAMPLES[type.field];
    it(`${type.field} has a sample here`, () => assert.ok(sample));
    if (sample === undefined) continue;
    it(`${type.field} is made on the kubelet's layout, again without harm, and leaves nothing`, async () => {
      const all = volumes();
      await all.setUp(podWith(sample), facts);
      assert.ok(statSync(pathOf(type.plugin)).isDirectory());
      assert.ok(readlinkSync(join(dataDir, 'pods/u-1')).endsWith('tenants/default/pods/u-1'));
      assert.ok(statSync(join(dataDir, 'pods/u-1/volumes', `kubernetes.io~${type.plugin}`, 'v')).isDirectory());
      const before = readdirSync(pathOf(type.plugin));
      await all.setUp(podWith(sample), facts);
      assert.deepEqual(readdirSync(pathOf(type.plugin)), before);
      await all.tearDown(podWith(sample));
      assert.deepEqual(readdirSync(join(dataDir, 'tenants/default/pods')), []);
      assert.deepEqual(readdirSync(join(dataDir, 'pods')), []);
    });
  }

  it('that is not here is refused by name, before anything is made', async () => {
    const volume = { name: 'v', hostPath: { path: '/etc' } };
    await assert.rejects(volumes().setUp(podWith({ name: 'e', emptyDir: {} }, volume), facts), {
      code: 'POD_VOLUME_UNSUPPORTED',
      message:
        /^MountVolume\.SetUp failed for volume "v" : volume type "hostPath" is not supported by this node, which has emptyDir, configMap/,
    });
    assert.equal(lstatSync(pathOf('empty-dir'), { throwIfNoEntry: false }), undefined);
  });
});

describe('contents', () => {
  it('of a configMap: every key, binary too, by links that change at once', async () => {
    await volumes().setUp(podWith({ name: 'v', configMap: { name: 'cfg' } }), facts);
    assert.equal(read('configmap', 'a'), '1');
    assert.equal(read('configmap', 'c'), '\u0000x');
    assert.equal(readlinkSync(join(pathOf('configmap'), 'a')), '..data/a');
    const first = readlinkSync(join(pathOf('configmap'), '..data'));
    configMaps = { cfg: { data: { b: '3' } } };
    await volumes().setUp(podWith({ name: 'v', configMap: { name: 'cfg' } }), facts);
    assert.equal(read('configmap', 'b'), '3');
    assert.notEqual(readlinkSync(join(pathOf('configmap'), '..data')), first);
    assert.deepEqual(
      readdirSync(pathOf('configmap')).filter((name) => !name.startsWith('..')),
      ['b'],
    );
    assert.equal(readdirSync(pathOf('configmap')).filter((name) => name.startsWith('..2')).length, 1);
  });

  it('by items, with modes', async () => {
    const items = [{ key: 'a', path: 'deep/er/file', mode: 0o400 }];
    await volumes().setUp(podWith({ name: 'v', configMap: { name: 'cfg', items, defaultMode: 0o600 } }), facts);
    assert.equal(read('configmap', 'deep/er/file'), '1');
    assert.equal(statSync(join(pathOf('configmap'), 'deep/er/file')).mode & 0o777, 0o400);
    assert.deepEqual(
      readdirSync(pathOf('configmap')).filter((name) => !name.startsWith('..')),
      ['deep'],
    );
  });

  const wrong: readonly (readonly [sentence: string, Volume, string])[] = [
    ['a configMap that is missing', { name: 'v', configMap: { name: 'no' } }, 'configmap "no" not found'],
    ['a secret that is missing', { name: 'v', secret: { secretName: 'no' } }, 'secret "no" not found'],
    [
      'a key that is missing',
      { name: 'v', configMap: { name: 'cfg', items: [{ key: 'z', path: 'z' }] } },
      'references non-existent config key: z',
    ],
    [
      'a secret key that is missing',
      { name: 'v', secret: { secretName: 'sec', items: [{ key: 'z', path: 'z' }] } },
      'references non-existent secret key: z',
    ],
    [
      'a path that leaves the volume',
      { name: 'v', configMap: { name: 'cfg', items: [{ key: 'a', path: 'x/../../y' }] } },
      'invalid path "x/../../y": it must be relative and stay inside the volume',
    ],
    [
      'an absolute path',
      { name: 'v', configMap: { name: 'cfg', items: [{ key: 'a', path: '/etc/x' }] } },
      'invalid path "/etc/x": it must be relative and stay inside the volume',
    ],
    [
      'a reserved name',
      { name: 'v', configMap: { name: 'cfg', items: [{ key: 'a', path: '..data' }] } },
      'invalid path "..data": it must be relative and stay inside the volume',
    ],
    [
      'a projected source that is none',
      { name: 'v', projected: { sources: [{ clusterTrustBundle: { path: 'x' } }] } },
      'projected source "clusterTrustBundle" is not supported by this node, which has configMap, downwardAPI, secret, serviceAccountToken',
    ],
  ];
  for (const [sentence, volume, message] of wrong) {
    it(`refuse ${sentence}`, async () => {
      await assert.rejects(volumes().setUp(podWith(volume), facts), {
        message: `MountVolume.SetUp failed for volume "v" : ${message}`,
      });
    });
  }

  it('that are optional may be missing', async () => {
    await volumes().setUp(podWith({ name: 'v', configMap: { name: 'no', optional: true } }), facts);
    assert.deepEqual(
      readdirSync(pathOf('configmap')).filter((name) => !name.startsWith('..')),
      [],
    );
  });

  it('of what every joined pod gets: token, CA and namespace in one', async () => {
    configMaps['kube-root-ca.crt'] = { data: { 'ca.crt': 'PEM' } };
    const sources = [
      { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      {
        downwardAPI: {
          items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
        },
      },
    ];
    await volumes().setUp(podWith({ name: 'v', projected: { sources, defaultMode: 420 } }), facts);
    assert.deepEqual(
      ['token', 'ca.crt', 'namespace'].map((file) => read('projected', file)),
      ['u-1 api 1', 'PEM', 'default'],
    );
  });

  it('of a token are renewed at 80 % of its life; the old one stays while no new one can be had', async () => {
    const pod = podWith({
      name: 'v',
      projected: { sources: [{ serviceAccountToken: { path: 'token', audience: 'vault' } }] },
    });
    const all = volumes();
    await all.setUp(pod, facts);
    await clock.advance(0.79 * 3_600_000);
    await all.setUp(pod, facts);
    assert.equal(read('projected', 'token'), 'u-1 vault 1');
    away = true;
    await clock.advance(0.02 * 3_600_000);
    const { refreshAt } = await all.setUp(pod, facts);
    assert.equal(read('projected', 'token'), 'u-1 vault 1');
    assert.ok((refreshAt ?? 0) <= clock.now() + 30_000);
    away = false;
    await all.setUp(pod, facts);
    assert.equal(read('projected', 'token'), 'u-1 vault 2');
  });
});

describe('mounts', () => {
  const mountsOf = async (...volumeMountList: VolumeMount[]) => {
    const pod = podWith({ name: 'v', emptyDir: {} }, { name: 'c', configMap: { name: 'cfg' } });
    await volumes().setUp(pod, facts);
    const container = { name: 'main', volumeMounts: volumeMountList };
    const mounts = await volumeMounts({
      pod,
      container,
      places: placesOf(pod, dataDir),
      env: new Map([['WHO', 'me']]),
    });
    return mounts.map(({ guestPath, hostPath, readOnly }) => ({
      guestPath,
      hostPath: hostPath.slice(hostPath.indexOf('kubernetes.io~')),
      readOnly,
    }));
  };

  it('say where, what and whether it may be written; what the node writes may not', async () => {
    assert.deepEqual(await mountsOf({ name: 'v', mountPath: '/data/' }, { name: 'c', mountPath: 'cfg' }), [
      { guestPath: '/data', hostPath: 'kubernetes.io~empty-dir/v', readOnly: false },
      { guestPath: '/cfg', hostPath: 'kubernetes.io~configmap/c', readOnly: true },
    ]);
  });

  it('of a subPath make it, by expression too', async () => {
    const [one, two] = await mountsOf(
      { name: 'v', mountPath: '/a', subPath: 'x/y' },
      { name: 'v', mountPath: '/b', subPathExpr: '$(WHO)' },
    );
    assert.deepEqual([one?.hostPath, two?.hostPath], ['kubernetes.io~empty-dir/v/x/y', 'kubernetes.io~empty-dir/v/me']);
    const [file] = await mountsOf({ name: 'c', mountPath: '/f', subPath: 'a' });
    assert.match(file?.hostPath ?? '', /^kubernetes\.io~configmap\/c\/\.\.2026.*\/a$/);
  });

  const wrong: readonly (readonly [sentence: string, VolumeMount, RegExp])[] = [
    [
      'a volume that is none',
      { name: 'no', mountPath: '/x' },
      /^cannot find volume "no" to mount into container "main"$/,
    ],
    ['an absolute subPath', { name: 'v', mountPath: '/x', subPath: '/etc' }, /must not be an absolute path/],
    ['a subPath that climbs', { name: 'v', mountPath: '/x', subPath: 'a/../../b' }, /must not contain '\.\.'/],
    ['a variable that is none', { name: 'v', mountPath: '/x', subPathExpr: '$(NO)' }, /missing value/],
  ];
  for (const [sentence, mount, message] of wrong)
    it(`refuse ${sentence}`, () => assert.rejects(mountsOf(mount), { code: 'POD_CONFIG_INVALID', message }));

  it('refuse a link that a guest laid out of its volume', async () => {
    const pod = podWith({ name: 'v', emptyDir: {} });
    await volumes().setUp(pod, facts);
    mkdirSync(join(dataDir, 'secret-place'));
    writeFileSync(join(dataDir, 'secret-place/key'), 'k');
    symlinkSync(join(dataDir, 'secret-place'), join(pathOf('empty-dir'), 'out'));
    for (const subPath of ['out', 'out/key', 'out/new']) {
      const container = { name: 'main', volumeMounts: [{ name: 'v', mountPath: '/x', subPath }] };
      await assert.rejects(
        volumeMounts({ pod, container, places: placesOf(pod, dataDir), env: new Map() }),
        /failed to prepare subPath/,
      );
    }
    assert.deepEqual(readdirSync(join(dataDir, 'secret-place')), ['key']);
  });
});

describe('placesOf()', () => {
  for (const name of ['..', '.', '', 'a/b', '/etc', 'x\0', 'a'.repeat(300), '-x']) {
    it(`refuses ${JSON.stringify(name.slice(0, 12))} as a part of a path`, () => {
      assert.throws(() => placesOf(podOf({}, { uid: name }), '/data'), { code: 'POD_CONFIG_INVALID' });
      assert.throws(() => placesOf(podOf({}, { namespace: name }), '/data'), { code: 'POD_CONFIG_INVALID' });
      assert.throws(() => placesOf(podOf(), '/data').volume('empty-dir', name), { code: 'POD_CONFIG_INVALID' });
    });
  }
});
