import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { FakeClock } from '#kit';
import type { EventInput } from '#kube';
import type { Pod, Secret } from '#kube/types';
import {
  ContentStore,
  importModule,
  NotWasmError,
  ociError,
  type Puller,
  type PullOptions,
  type Reference,
  type WorkloadImage,
} from '#oci';
import { ImageBackoffs } from './backoff.ts';
import type { ImageAnswer, ImageRequest } from './contract.ts';
import { createImageManager } from './manager.ts';
import { planImage } from './policy.ts';
import { Turns } from './turns.ts';
import { goDuration } from './words.ts';

const WASM = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const pod: Pod = { metadata: { name: 'p', namespace: 'ns', uid: 'u1' } };

type Pull = (reference: Reference, options: PullOptions) => Promise<WorkloadImage>;

async function bench(pull: Pull = () => assert.fail('nothing is pulled here'), { parallel = 3 } = {}) {
  const clock = new FakeClock();
  const directory = await mkdtemp(join(tmpdir(), 'wasmlet-image-'));
  const store = await ContentStore.open(directory, { clock });
  const events: EventInput[] = [];
  const puller = { pull, [Symbol.dispose]() {} } as unknown as Puller;
  const recorder = { record: (_about: unknown, event: EventInput) => void events.push(event) };
  const manager = createImageManager({ store, events: recorder, clock, puller, parallel, credentialFiles: [] });
  return {
    clock,
    store,
    events,
    manager,
    said: () => events.splice(0).map(({ reason, message }) => `${reason}: ${message}`),
    ensure(image: string, more: Partial<ImageRequest> & { policy?: string; uid?: string } = {}): Promise<ImageAnswer> {
      const { policy, uid = 'u1', ...rest } = more;
      const container = { name: 'main', image, ...(policy === undefined ? {} : { imagePullPolicy: policy }) };
      return manager.ensureImage({ pod: { metadata: { ...pod.metadata, uid } }, container, secrets: [], ...rest });
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

function imageOf(reference: string, size = 7): WorkloadImage {
  return { reference, size, digest: 'sha256:0' } as unknown as WorkloadImage;
}

describe('planImage()', () => {
  const cases: [image: string, policy: string | undefined, expected: string][] = [
    ['a', undefined, 'pull'],
    ['a:1', undefined, 'use-or-pull'],
    [`a@sha256:${'0'.repeat(64)}`, undefined, 'use-or-pull'],
    ['a:1', 'Always', 'pull'],
    ['a', 'IfNotPresent', 'use-or-pull'],
    ['a', 'Never', 'use-or-refuse'],
    ['A/b C', 'Never', 'refuse'],
    ['', 'Always', 'refuse'],
  ];
  for (const [image, policy, expected] of cases) {
    it(`'${image}' with ${policy}: ${expected}`, () => assert.equal(planImage(image, policy).do, expected));
  }
});

describe('ensureImage()', () => {
  it('uses what is there', async () => {
    await using b = await bench();
    await importModule(b.store, WASM, { reference: 'reg.example/hello:1' });
    const { image } = await b.ensure('reg.example/hello:1');
    assert.equal(image?.reference, 'reg.example/hello:1');
    assert.deepEqual(b.said(), [
      'Pulled: Container image "reg.example/hello:1" already present on machine and can be accessed by the pod',
    ]);
  });

  it('never pulls with Never', async () => {
    await using b = await bench();
    const { waiting } = await b.ensure('a:1', { policy: 'Never' });
    assert.deepEqual(waiting, {
      reason: 'ErrImageNeverPull',
      message: 'Container image "a:1" is not present with pull policy of Never',
    });
    assert.equal(b.said()[0], 'ErrImageNeverPull: Container image "a:1" is not present with pull policy of Never');
  });

  it('refuses a name that is none', async () => {
    await using b = await bench();
    const { waiting } = await b.ensure('Not/A name');
    assert.equal(waiting?.reason, 'InvalidImageName');
    assert.match(waiting?.message ?? '', /^Failed to apply default image tag "Not\/A name": couldn't parse image name/);
    assert.match(b.said()[0] ?? '', /^InspectFailed: /);
  });

  it('pulls, and tells how long it took', async () => {
    let clock = new FakeClock();
    await using b = await bench(async () => {
      await clock.sleep(1234);
      return imageOf('a:1', 99);
    });
    clock = b.clock;
    const answer = b.ensure('a:1');
    while (clock.sleeping < 2) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(2000);
    assert.equal((await answer).image?.size, 99);
    assert.deepEqual(b.said(), [
      'Pulling: Pulling image "a:1"',
      'Pulled: Successfully pulled image "a:1" in 1.234s (1.234s including waiting). Image size: 99 bytes.',
    ]);
    assert.equal(clock.sleeping, 0);
  });

  it('backs off after a failure, in the kubelet’s words, and per pod', async () => {
    let tries = 0;
    await using b = await bench(async () => {
      tries++;
      throw ociError('OCI_NOT_FOUND', 'Cannot pull a:1: it is not there');
    });
    const first = await b.ensure('a:1');
    assert.deepEqual(first.waiting, { reason: 'ErrImagePull', message: 'Cannot pull a:1: it is not there' });
    assert.deepEqual(b.said(), [
      'Pulling: Pulling image "a:1"',
      'Failed: Failed to pull image "a:1": Cannot pull a:1: it is not there',
      'Failed: Error: ErrImagePull',
    ]);
    await b.clock.advance(9_000);
    const second = await b.ensure('a:1');
    assert.deepEqual(second.waiting, {
      reason: 'ImagePullBackOff',
      message: 'Back-off pulling image "a:1": ErrImagePull: Cannot pull a:1: it is not there',
    });
    assert.equal('retryAt' in second && second.retryAt - b.clock.now(), 1000);
    assert.deepEqual(b.said(), ['BackOff: Back-off pulling image "a:1"', 'Failed: Error: ImagePullBackOff']);
    assert.equal(tries, 1);
    await b.ensure('a:1', { uid: 'u2' });
    assert.equal(tries, 2);
    await b.clock.advance(1_000);
    assert.equal((await b.ensure('a:1')).waiting?.reason, 'ErrImagePull');
    assert.equal(tries, 3);
  });

  it('says of a registry that is away that it is', async () => {
    await using b = await bench(async () => {
      throw ociError('OCI_UNREACHABLE', 'Cannot reach registry r');
    });
    assert.deepEqual((await b.ensure('r.example/a:1')).waiting, {
      reason: 'RegistryUnavailable',
      message: 'image pull failed for r.example/a:1 because the registry is unavailable: Cannot reach registry r',
    });
  });

  it('tells of a Linux image once a pod and digest, and looks again only at the cap', async () => {
    let digest = 'sha256:1';
    let tries = 0;
    await using b = await bench(async () => {
      tries++;
      throw Object.assign(new NotWasmError('Cannot run it: it is a container image for linux/amd64', 'push'), {
        digest,
      });
    });
    const first = await b.ensure('nginx:1');
    assert.equal(first.waiting?.reason, 'ErrImagePull');
    assert.deepEqual(b.said(), [
      'Failed: Failed to pull image "nginx:1": Cannot run it: it is a container image for linux/amd64',
    ]);
    await b.clock.advance(10_000);
    const second = await b.ensure('nginx:1');
    assert.equal(second.waiting?.reason, 'ImagePullBackOff');
    assert.match(second.waiting?.message ?? '', /: ErrImagePull: Cannot run it: it is a container image for linux/);
    assert.equal('retryAt' in second && second.retryAt - b.clock.now(), 290_000);
    assert.equal(tries, 1);
    await b.clock.advance(290_000);
    await b.ensure('nginx:1');
    assert.equal(tries, 2);
    assert.deepEqual(b.said(), []);
    digest = 'sha256:2';
    await b.clock.advance(300_000);
    await b.ensure('nginx:1');
    assert.equal(b.said().length, 1);
  });

  it('hands on the credentials of both kinds of pull secret, the most specific first', async () => {
    let given: PullOptions['credentials'];
    await using b = await bench(async (_reference, options) => {
      given = options.credentials;
      return imageOf('x');
    });
    const auth = (text: string) => ({ auth: Buffer.from(text).toString('base64') });
    const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');
    const secrets: Secret[] = [
      { type: 'kubernetes.io/dockercfg', data: { '.dockercfg': base64({ 'reg.example': auth('old:o') }) } },
      {
        type: 'kubernetes.io/dockerconfigjson',
        data: {
          '.dockerconfigjson': base64({
            auths: { 'https://reg.example/team': auth('new:n'), 'other.example': auth('x:x') },
          }),
        },
      },
      { type: 'Opaque', data: { '.dockerconfigjson': base64({ auths: { 'reg.example': auth('no:no') } }) } },
      { metadata: { name: 'broken' }, type: 'kubernetes.io/dockercfg', data: { '.dockercfg': '!!' } },
    ];
    await b.ensure('reg.example/team/app:1', { secrets });
    assert.deepEqual(given, [
      { username: 'new', password: 'n' },
      { username: 'old', password: 'o' },
    ]);
    assert.match(b.said()[0] ?? '', /^FailedToRetrieveImagePullSecret: Cannot read image pull secret 'broken'/);
  });

  it('pulls at most as many at a time as it may', async () => {
    let running = 0;
    let most = 0;
    const gates: (() => void)[] = [];
    await using b = await bench(
      async () => {
        most = Math.max(most, ++running);
        await new Promise<void>((resolve) => gates.push(resolve));
        running--;
        return imageOf('x');
      },
      { parallel: 2 },
    );
    const answers = [1, 2, 3, 4, 5].map((n) => b.ensure(`a:${n}`));
    for (let done = 0; done < 5; done++) {
      while (gates.length === 0) await new Promise((resolve) => setImmediate(resolve));
      gates.shift()?.();
    }
    await Promise.all(answers);
    assert.equal(most, 2);
  });

  it('rejects when its caller leaves', async () => {
    await using b = await bench(
      (_reference, { signal }) =>
        new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
    );
    const stop = new AbortController();
    const answer = b.ensure('a:1', { signal: stop.signal });
    setImmediate(() => stop.abort(new Error('left')));
    await assert.rejects(answer, /left/);
    assert.deepEqual(b.said(), []);
  });
});

describe('pullSecrets()', () => {
  it('goes on without secrets that are missing, and tells so in one event', async () => {
    await using b = await bench();
    const found: Secret = { metadata: { name: 'a' } };
    const names = ['a', '', 'b', 'c'].map((name) => ({ name }));
    const secrets = await b.manager.pullSecrets(
      { ...pod, spec: { containers: [], imagePullSecrets: names } },
      async (_namespace, name) => {
        if (name === 'c') throw new Error('forbidden');
        return name === 'a' ? found : undefined;
      },
    );
    assert.deepEqual(secrets, [found]);
    assert.deepEqual(b.said(), [
      'FailedToRetrieveImagePullSecret: Unable to retrieve some image pull secrets (b, c); attempting to pull the image may not succeed.',
    ]);
  });
});

describe('images()', () => {
  it('lists the largest first, digests before tags', async () => {
    await using b = await bench();
    await importModule(b.store, WASM, { reference: 'r.example/small:1' });
    await importModule(b.store, Buffer.concat([WASM, Buffer.alloc(100)]), { reference: 'r.example/large:1' });
    const [large, small, ...more] = await b.manager.images();
    assert.equal(more.length, 0);
    assert.match(large?.names?.[0] ?? '', /^r\.example\/large@sha256:/);
    assert.equal(large?.names?.[1], 'r.example/large:1');
    assert.ok((large?.sizeBytes ?? 0) > (small?.sizeBytes ?? 0));
  });
});

describe('ImageBackoffs', () => {
  it('doubles from 10 s to 300 s and starts anew after 600 s of peace', () => {
    const backoffs = new ImageBackoffs();
    let now = 0;
    const delays = [];
    for (let n = 0; n < 7; n++) {
      const { until } = backoffs.fail('k', { text: 't', now });
      delays.push(until - now);
      now = until;
    }
    assert.deepEqual(delays, [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
    now += 600_001;
    assert.equal(backoffs.fail('k', { text: 't', now }).until - now, 10_000);
    backoffs.forget('k');
    assert.equal(backoffs.current('k', now), undefined);
  });
});

describe('Turns', () => {
  it('skips who has left the queue', async () => {
    const turns = new Turns(1);
    const done = await turns.take(undefined);
    const stop = new AbortController();
    const leaving = turns.take(stop.signal);
    const next = turns.take(undefined);
    stop.abort(new Error('left'));
    await assert.rejects(leaving, /left/);
    done();
    (await next)();
    (await turns.take(undefined))();
  });
});

describe('goDuration()', () => {
  it('prints as Go does', () => {
    assert.deepEqual([0, 5, 1200, 1000, 62_500, 3_603_000].map(goDuration), [
      '0s',
      '5ms',
      '1.2s',
      '1s',
      '1m2.5s',
      '1h0m3s',
    ]);
  });
});
