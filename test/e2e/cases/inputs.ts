/** What a pod gives its containers: arguments, environment, files; and how wrong input is answered. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { push } from '../guests.ts';
import {
  apply,
  eventsOf,
  eventually,
  isReady,
  logsOf,
  phase,
  podOf,
  remove,
  steps,
  until,
  type World,
} from '../world.ts';

const TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount';

export function inputCases(world: () => World): void {
  it('arguments and environment reach the guest, from values, the pod itself, configMaps and secrets', async () => {
    const kubectl = world().kubectl;
    await kubectl(['create', 'configmap', 'words', '--from-literal=one=uno', '--from-literal=two=due']);
    await kubectl(['create', 'secret', 'generic', 'hidden', '--from-literal=key=word']);
    const env = [
      { name: 'PLAIN', value: 'plain' },
      { name: 'MIXED', value: '$(PLAIN)-$$(PLAIN)' },
      { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'HOST', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
      { name: 'ONE', valueFrom: { configMapKeyRef: { name: 'words', key: 'one' } } },
      { name: 'KEY', valueFrom: { secretKeyRef: { name: 'hidden', key: 'key' } } },
    ];
    const envFrom = [{ prefix: 'W_', configMapRef: { name: 'words' } }];
    await apply(
      world(),
      podOf(world(), 'env', { main: { args: [...steps('env , print'), '$(PLAIN)'], env, envFrom } }),
    );
    await until(world(), 'env', phase('Succeeded'));
    const lines = (await logsOf(world(), 'env')).split('\n');
    for (const line of ['PLAIN=plain', 'MIXED=plain-$(PLAIN)', 'NAME=env', 'ONE=uno', 'KEY=word', 'W_two=due', 'plain'])
      assert.ok(lines.includes(line), `${line} in ${lines}`);
    assert.ok(lines.some((line) => /^HOST=[\d.]+$/.test(line)));
    assert.ok(lines.some((line) => /^KUBERNETES_SERVICE_HOST=/.test(line)));
    await remove(world(), 'env');
  });

  it('a missing configMap keeps the container waiting with CreateContainerConfigError, and starts it once it is there', async () => {
    const env = [{ name: 'LATE', valueFrom: { configMapKeyRef: { name: 'late', key: 'word' } } }];
    await apply(world(), podOf(world(), 'late', { main: { args: steps('env LATE'), env } }));
    const pod = await until(
      world(),
      'late',
      (seen) => seen.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    assert.match(pod.status?.containerStatuses?.[0]?.state?.waiting?.message ?? '', /configmap "late" not found/);
    await world().kubectl(['create', 'configmap', 'late', '--from-literal=word=came']);
    await until(world(), 'late', phase('Succeeded'), { seconds: 90 });
    assert.match(await logsOf(world(), 'late'), /LATE=came/);
    await remove(world(), 'late');
  });

  it('every pod has its service account: token, CA and namespace', async () => {
    await apply(
      world(),
      podOf(world(), 'account', { main: steps(`list ${TOKEN} , cat ${TOKEN}/namespace , cat ${TOKEN}/ca.crt`) }),
    );
    await until(world(), 'account', phase('Succeeded'));
    const logs = await logsOf(world(), 'account');
    for (const word of ['token', 'ca.crt', 'namespace', 'default', 'BEGIN CERTIFICATE'])
      assert.ok(logs.includes(word), `${word} in ${logs}`);
    await remove(world(), 'account');
  });

  it('configMap, secret and downwardAPI volumes are files', async () => {
    await world().kubectl(['create', 'configmap', 'files', '--from-literal=a.txt=alpha']);
    await world().kubectl(['create', 'secret', 'generic', 'secrets', '--from-literal=b.txt=beta']);
    const volumes = [
      { name: 'config', configMap: { name: 'files' } },
      { name: 'secret', secret: { secretName: 'secrets' } },
      { name: 'me', downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
    ];
    const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/in/${name}`, readOnly: true }));
    const args = steps('cat /in/config/a.txt , cat /in/secret/b.txt , cat /in/me/name , try write /in/config/a.txt x');
    await apply(world(), podOf(world(), 'volumes', { main: { args, volumeMounts } }, { volumes }));
    await until(world(), 'volumes', phase('Succeeded'));
    assert.match(await logsOf(world(), 'volumes'), /alpha[\s\S]*beta[\s\S]*volumes[\s\S]*try: /);
    await remove(world(), 'volumes');
  });

  it('the working directory is where relative paths start', async () => {
    const container = {
      args: steps('write word here , cat /jobs/word'),
      workingDir: '/jobs',
      volumeMounts: [{ name: 'work', mountPath: '/jobs' }],
    };
    await apply(world(), podOf(world(), 'cwd', { main: container }, { volumes: [{ name: 'work', emptyDir: {} }] }));
    await until(world(), 'cwd', phase('Succeeded'));
    assert.match(await logsOf(world(), 'cwd'), /here/);
    await remove(world(), 'cwd');
  });

  it('a volume type that this node does not have is refused by name', async () => {
    await apply(
      world(),
      podOf(
        world(),
        'nfs',
        { main: steps('print x') },
        { volumes: [{ name: 'far', nfs: { server: '127.0.0.1', path: '/x' } }] },
      ),
    );
    await eventually('FailedMount', async () => {
      const events = await eventsOf(world(), 'nfs');
      return events.find(({ reason, message }) => reason === 'FailedMount' && message.includes('nfs'));
    });
    await remove(world(), 'nfs');
  });

  const wrongImages: [string, (world: World) => string, RegExp, string][] = [
    ['a repository that is not there', ({ registry }) => `${registry}/nosuch:v1`, /nosuch/, 'ErrImagePull'],
    ['a name that is none', () => 'UPPER/CASE:v1', /invalid reference format|UPPER/, 'InvalidImageName'],
  ];
  for (const [what, image, message, reason] of wrongImages) {
    it(`${what} is ${reason}`, async () => {
      await apply(world(), podOf(world(), 'wrong', { main: { args: [], image: image(world()) } }));
      const accepted = reason === 'ErrImagePull' ? ['ErrImagePull', 'ImagePullBackOff'] : [reason];
      const pod = await until(world(), 'wrong', (seen) =>
        accepted.includes(seen.status?.containerStatuses?.[0]?.state?.waiting?.reason ?? ''),
      );
      assert.match(pod.status?.containerStatuses?.[0]?.state?.waiting?.message ?? '', message);
      assert.equal(pod.status?.phase, 'Pending');
      await remove(world(), 'wrong');
    });
  }

  it('an image that must not be pulled and is not here is ErrImageNeverPull', async () => {
    await apply(
      world(),
      podOf(world(), 'never', { main: { args: [], image: `${world().registry}/never:v1`, imagePullPolicy: 'Never' } }),
    );
    await until(
      world(),
      'never',
      (pod) => pod.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'ErrImageNeverPull',
    );
    await remove(world(), 'never');
  });

  it('bytes that are no module, and a module that asks for what nobody provides, are named', async () => {
    const folder = world().dataDir;
    const junk = join(folder, 'junk.wasm');
    // A module with one import, `env.nosuch`, and an empty `_start`.
    const missing = join(folder, 'missing.wasm');
    writeFileSync(junk, Buffer.from('0061736d01000000ffff', 'hex'));
    writeFileSync(
      missing,
      Buffer.from(
        '0061736d0100000001040160000002 0e0103656e76066e6f737563680000 030201000 70a01065f7374617274 0001 0a040102000b'.replace(
          / /g,
          '',
        ),
        'hex',
      ),
    );
    await push(junk, `${world().registry}/junk:v1`, 'cncf');
    await push(missing, `${world().registry}/missing:v1`, 'cncf');
    for (const [name, message] of [
      ['junk', /junk|valid|WebAssembly/i],
      ['missing', /env\.nosuch/],
    ] as const) {
      await apply(world(), podOf(world(), name, { main: { args: [], image: `${world().registry}/${name}:v1` } }));
      const pod = await until(world(), name, (seen) => {
        const state = seen.status?.containerStatuses?.[0]?.state;
        return state?.waiting?.message !== undefined || state?.terminated !== undefined;
      });
      assert.match(JSON.stringify(pod.status?.containerStatuses?.[0]), message);
      await remove(world(), name);
    }
  });

  it('logs honour tail, limit, timestamps and follow', async () => {
    await apply(world(), podOf(world(), 'lines', { main: steps('print one , print two , print three , forever') }));
    await until(world(), 'lines', isReady);
    await eventually('three lines', async () =>
      (await logsOf(world(), 'lines')).includes('three') ? true : undefined,
    );
    assert.equal(await logsOf(world(), 'lines', '--tail=1'), 'three\n');
    assert.equal(await logsOf(world(), 'lines', '--limit-bytes=5'), 'one\nt');
    assert.match(await logsOf(world(), 'lines', '--timestamps', '--tail=1'), /^\d{4}-\d\d-\d\dT[\d:.]+Z three\n$/);
    assert.equal(await logsOf(world(), 'lines', '--since=1h'), 'one\ntwo\nthree\n');
    let seen = '';
    const log = (text: string) => {
      seen += text;
    };
    const following = world().kubectl(['logs', '-f', 'lines'], { accept: 'any', log });
    await eventually('the follower', async () => (seen.includes('three') ? true : undefined));
    await world().kubectl(['delete', 'pod', 'lines', '--wait=true', '--timeout=30s']);
    assert.equal((await following).stdout, 'one\ntwo\nthree\n');
  });
}
