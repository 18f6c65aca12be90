import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { FakeClock, isWasmletError, silentLog } from '#kit';
import { ApiStatusError, accessOf, type KubeClient, parseKubeconfig } from '#kube';
import {
  hasKey,
  issueCertificate,
  type KeyPair,
  makeAuthority,
  readCertificate,
  readSigningRequest,
  signRequest,
} from '#kube/certificates';
import type { CertificateSigningRequest, KubeObject, WatchEventOf } from '#kube/types';
import { loadPair, requestKeyPath, savePair } from './pem-store.ts';
import { clientWish, type RequestOptions, requestCertificate, servingWish } from './request.ts';
import { isUsable, keepFresh, rotationTime } from './rotation.ts';
import { openServing } from './serving.ts';
import { createBootstrap } from './token.ts';

type Csr = CertificateSigningRequest;
const start = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;
const authority = await makeAuthority({ commonName: 'cluster', now: start, days: 3650 });

/** The part of an API server that keeps and signs requests. */
class Signer {
  readonly requests = new Map<string, Csr>();
  readonly clock: FakeClock;
  days = 10;
  automatic = true;
  #waiting: (() => void)[] = [];
  #version = 0;

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  readonly client = {
    create: async (_: unknown, object: Csr) => {
      const name = object.metadata?.name ?? '';
      if (this.requests.has(name))
        throw new ApiStatusError('there', { status: { reason: 'AlreadyExists' }, httpStatus: 409 });
      await this.#put(object);
      if (this.automatic) await this.approve(name);
      return object;
    },
    list: async (_: unknown, { fieldSelector = '' }: { fieldSelector?: string }) => {
      const found = this.requests.get(fieldSelector.replace('metadata.name=', ''));
      return { metadata: { resourceVersion: `${this.#version}` }, items: found === undefined ? [] : [found] };
    },
    watch: (_: unknown, { fieldSelector = '', signal }: { fieldSelector?: string; signal?: AbortSignal }) =>
      this.#watch(fieldSelector.replace('metadata.name=', ''), signal),
  } as unknown as KubeClient;

  async approve(name: string): Promise<void> {
    const object = this.requests.get(name) as Csr;
    const request = Buffer.from(object.spec.request, 'base64').toString();
    const usages = object.spec.usages?.filter((usage) => usage.endsWith('auth')) as 'client auth'[];
    const cert = await signRequest({ request, usages, now: this.clock.now(), days: this.days }, authority);
    await this.#put({ ...object, status: { certificate: Buffer.from(cert).toString('base64') } });
  }

  async deny(name: string): Promise<void> {
    const object = this.requests.get(name) as Csr;
    await this.#put({ ...object, status: { conditions: [{ type: 'Denied', status: 'True', message: 'not today' }] } });
  }

  async #put(object: Csr): Promise<void> {
    const metadata = { ...object.metadata, resourceVersion: `${++this.#version}`, uid: object.metadata?.name ?? '' };
    this.requests.set(object.metadata?.name ?? '', { ...object, metadata });
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async *#watch(name: string, signal?: AbortSignal): AsyncGenerator<WatchEventOf<Csr>> {
    let seen: Csr | undefined;
    const wakeAll = (): void => {
      for (const wake of this.#waiting.splice(0)) wake();
    };
    signal?.addEventListener('abort', wakeAll, { once: true });
    while (signal?.aborted !== true) {
      const object = this.requests.get(name);
      if (object !== undefined && object !== seen) yield { type: 'MODIFIED', object };
      seen = object;
      if (this.requests.get(name) === seen) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

let dir: string;
let clock: FakeClock;
let signer: Signer;
let base: Omit<RequestOptions, 'keyPath'>;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wasmlet-'));
  clock = new FakeClock(start);
  signer = new Signer(clock);
  base = { client: signer.client, clock, log: silentLog, signal: new AbortController().signal };
});
afterEach(() => rm(dir, { recursive: true }));

/** Until something outside the fake clock (worker threads, files) has happened. */
async function eventually<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('pairs on disk', () => {
  test('come back, for the owner only; torn or foreign ones are absent', async () => {
    const pair = await issueCertificate({ subject: { commonName: 'a' }, usages: ['client auth'], now: start, days: 1 });
    const path = join(dir, 'pki', 'a.pem');
    await savePair(path, pair);
    assert.deepEqual(await loadPair(path), pair);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(join(dir, 'pki')), ['a.pem']);
    for (const text of [
      '',
      'garbage',
      pair.cert,
      `${pair.cert}${authority.key}`,
      (pair.cert + pair.key).slice(0, -60),
    ]) {
      await writeFile(path, text);
      assert.equal(await loadPair(path), undefined);
    }
    assert.equal(await loadPair(join(dir, 'nowhere')), undefined);
  });
});

describe('a request', () => {
  test('asks as the approver and the node authorizer demand, and gets a certificate for its key', async () => {
    const keyPath = join(dir, 'a.key');
    const pair = await requestCertificate(clientWish('edge-1'), { ...base, keyPath });
    const [asked] = signer.requests.values();
    assert.equal(asked?.spec.signerName, 'kubernetes.io/kube-apiserver-client-kubelet');
    assert.deepEqual(asked?.spec.usages, ['digital signature', 'client auth']);
    const facts = await readSigningRequest(Buffer.from(asked?.spec.request ?? '', 'base64').toString());
    assert.deepEqual(facts, {
      subject: { commonName: 'system:node:edge-1', organizations: ['system:nodes'] },
      addresses: [],
      names: [],
      others: 0,
    });
    assert.ok(hasKey(pair.cert, pair.key));
  });

  test('of a node that was restarted is the same request', async () => {
    signer.automatic = false;
    const keyPath = join(dir, 'a.key');
    const wish = servingWish('edge-1', { address: '10.0.0.4', hostname: 'edge-1' });
    const first = new AbortController();
    const pending = Promise.withResolvers<string>();
    const interrupted = requestCertificate(wish, {
      ...base,
      keyPath,
      signal: first.signal,
      onPending: pending.resolve,
    });
    const name = await pending.promise;
    first.abort(new Error('restart'));
    await assert.rejects(interrupted, /restart/);
    const again = requestCertificate(wish, { ...base, keyPath });
    await signer.approve(name);
    const pair = await again;
    assert.equal(signer.requests.size, 1);
    assert.deepEqual(readCertificate(pair.cert).addresses, ['10.0.0.4']);
  });

  test('that is denied says why, and the next try is another request', async () => {
    signer.automatic = false;
    const keyPath = join(dir, 'a.key');
    const options = { ...base, keyPath, onPending: (name: string) => void signer.deny(name) };
    await assert.rejects(
      requestCertificate(clientWish('edge-1'), options),
      (error) => isWasmletError(error, 'NODE_CERTIFICATE_DENIED') && /not today/.test(error.message),
    );
    signer.automatic = true;
    await requestCertificate(clientWish('edge-1'), { ...base, keyPath });
    assert.equal(signer.requests.size, 2);
  });
});

describe('rotation', () => {
  test('is due between 70 and 90 per cent of the life', async () => {
    const pair = await issueCertificate({
      subject: { commonName: 'a' },
      usages: ['client auth'],
      now: start,
      days: 10,
    });
    const life = 10 * DAY + 300_000;
    assert.equal(rotationTime(pair, { random: () => 0 }), start - 300_000 + life * 0.7);
    assert.equal(rotationTime(pair, { random: () => 1 }), start - 300_000 + life * 0.9);
    const late = start + 9 * DAY;
    assert.equal(rotationTime(pair, { random: () => 0, obtained: late }), late + DAY * 0.7);
    assert.equal(rotationTime(pair, { random: () => 0, obtained: start + 10 * DAY }), start + 10 * DAY + 60_000);
    assert.ok(isUsable(pair, { commonName: 'a', now: start }));
    assert.ok(!isUsable(pair, { commonName: 'b', now: start }));
    assert.ok(!isUsable(pair, { commonName: 'a', now: start + 11 * DAY }));
  });

  test('asks with a new key in time, saves it, and goes on after refusals', async () => {
    const path = join(dir, 'client.pem');
    const controller = new AbortController();
    const seen: KeyPair[] = [];
    let failures = 0;
    const current = await requestCertificate(clientWish('edge-1'), { ...base, keyPath: requestKeyPath(path) });
    const done = keepFresh({
      what: 'client',
      path,
      current,
      async ask(asked) {
        if (failures++ < 3) throw new Error('away');
        return await requestCertificate(clientWish('edge-1'), { ...base, ...asked });
      },
      onNew: (pair) => seen.push(pair),
      clock,
      log: silentLog,
      random: () => 0.5,
      signal: controller.signal,
    });
    await clock.advance(7 * DAY);
    assert.equal(failures, 0);
    await clock.advance(2 * DAY);
    const next = await eventually(() => seen[0]);
    assert.notEqual(next.key, current.key);
    assert.deepEqual(await loadPair(path), { cert: next.cert, key: next.key });
    assert.deepEqual(await readdir(dir), ['client.pem']);
    controller.abort();
    await done;
  });
});

describe('serving certificate', () => {
  const options = { name: 'edge-1', address: '10.0.0.4', hostname: 'edge-1' };

  test('is self-signed and says how to approve, until the cluster has signed it', async () => {
    signer.automatic = false;
    const changes: (KeyPair | undefined)[] = [];
    const controller = new AbortController();
    const node = { name: 'edge-1', dataDir: dir };
    const serving = await openServing({ ...base, ...options, options: node, onChange: (pair) => changes.push(pair) });
    assert.deepEqual(readCertificate(serving.current.cert).addresses, ['10.0.0.4']);
    const done = serving.keep(controller.signal);
    const name = await eventually(() => /approve (\S+)$/.exec(serving.state?.message ?? '')?.[1]);
    assert.equal(serving.state?.state, 'waiting');
    await signer.approve(name);
    await eventually(() => changes.find((pair) => pair !== undefined));
    assert.equal(serving.state?.state, 'ready');
    assert.equal(readCertificate(serving.current.cert).issuer, 'CN=cluster');
    controller.abort();
    await done;
    const again = await openServing({ ...base, ...options, options: node, onChange: () => {} });
    assert.equal(again.state?.state, 'ready');
    const moved = await openServing({ ...base, ...options, address: '10.0.0.5', options: node, onChange: () => {} });
    assert.equal(moved.state?.state, 'waiting');
  });

  test('of a standalone node is signed by its own authority, and again when that is another', async () => {
    const signWith = { certFile: join(dir, 'ca.crt'), keyFile: join(dir, 'ca.key') };
    const node = { name: 'edge-1', dataDir: dir, signWith };
    const means = { ...base, ...options, options: node, onChange: () => {} };
    await writeFile(signWith.certFile, authority.cert);
    await writeFile(signWith.keyFile, authority.key);
    const first = await openServing(means);
    assert.equal(first.state, undefined);
    assert.equal(readCertificate(first.current.cert).issuer, 'CN=cluster');
    assert.deepEqual((await openServing(means)).current, first.current);
    const other = await makeAuthority({ commonName: 'cluster', now: start, days: 10 });
    await writeFile(signWith.certFile, other.cert);
    await writeFile(signWith.keyFile, other.key);
    assert.notDeepEqual((await openServing(means)).current, first.current);
  });

  test('that was given is used, and one that cannot be read is refused', async () => {
    const [certFile, keyFile] = [join(dir, 'a.crt'), join(dir, 'a.key')];
    await writeFile(certFile, authority.cert);
    await writeFile(keyFile, authority.key);
    const means = { ...base, ...options, onChange: () => {} };
    const serving = await openServing({
      ...means,
      options: { name: 'edge-1', dataDir: dir, tls: { certFile, keyFile } },
    });
    assert.equal(serving.state?.state, 'own');
    const tls = { certFile: '/nowhere', keyFile };
    await assert.rejects(openServing({ ...means, options: { name: 'edge-1', dataDir: dir, tls } }), (error) =>
      isWasmletError(error, 'NODE_OPTION_INVALID'),
    );
  });
});

describe('wasmlet bootstrap', () => {
  test('makes a token that expires, its rights, and a kubeconfig that names the server', async () => {
    const made: KubeObject[] = [];
    const client = {
      create: async (_: unknown, object: KubeObject) => {
        if (object.kind !== 'Secret')
          throw new ApiStatusError('there', { status: { reason: 'AlreadyExists' }, httpStatus: 409 });
        made.push(object);
        return object;
      },
    } as unknown as KubeClient;
    const cluster = { server: 'https://10.0.0.1:6443', authority: { data: authority.cert } };
    const access = { context: 'admin', namespace: 'default', cluster, user: {} };
    const result = await createBootstrap({ client, access, now: start });
    const [secret] = made as { type?: string; stringData?: Record<string, string> }[];
    assert.equal(secret?.type, 'bootstrap.kubernetes.io/token');
    assert.equal(secret?.stringData?.['expiration'], '2026-01-02T00:00:00Z');
    const read = accessOf(await parseKubeconfig(result.kubeconfig, '/x'));
    assert.match(read.user.token ?? '', /^[a-z0-9]{6}\.[a-z0-9]{16}$/);
    assert.deepEqual(read.cluster.authority, { data: authority.cert });
    assert.match(result.approve, /kubectl certificate approve/);
  });
});
