import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '#kit';
import type { KubeClient, ListOptions, WatchOptions } from './client.ts';
import { ApiStatusError, kubeError } from './errors.ts';
import { type Informer, informer } from './informer.ts';
import { PODS } from './resources.ts';
import type { KubeList, Pod, WatchEventOf } from './types/mod.ts';

type Event = WatchEventOf<Pod>;
type WatchStep = (options: WatchOptions & { signal?: AbortSignal }) => AsyncIterable<Event>;
type ListStep = (options: ListOptions) => KubeList<Pod>;

function pod(name: string, resourceVersion: string, uid = `uid-${name}`): Pod {
  return { metadata: { name, namespace: 'default', resourceVersion, uid } };
}

function page(resourceVersion: string, items: Pod[], next?: string): ListStep {
  return () => ({ metadata: { resourceVersion, ...(next === undefined ? {} : { continue: next }) }, items });
}

function failing(error: unknown): () => never {
  return () => {
    throw error;
  };
}

function events(...list: Event[]): WatchStep {
  return async function* () {
    yield* list;
  };
}

/** A watch that yields and then stays open until its signal. */
function standing(...list: Event[]): WatchStep {
  return async function* ({ signal }) {
    yield* list;
    await new Promise<void>((resolve) => {
      if (signal?.aborted) resolve();
      signal?.addEventListener('abort', () => resolve(), { once: true });
    });
  };
}

const gone = new ApiStatusError('too old', { status: { code: 410, reason: 'Expired' }, httpStatus: 410 });
const down = kubeError('KUBE_UNREACHABLE', 'Cannot reach the API server');

class World {
  readonly clock = new FakeClock();
  readonly asked: string[] = [];
  readonly changes: string[] = [];
  readonly lists: ListStep[];
  readonly watches: WatchStep[];
  readonly informer: Informer<Pod>;

  constructor({ lists, watches }: { lists: ListStep[]; watches: WatchStep[] }) {
    this.lists = [...lists];
    this.watches = [...watches];
    const client = {
      list: async (_: unknown, options: ListOptions) => {
        this.asked.push(`list${options.continue === undefined ? '' : ` ${options.continue}`}`);
        const step = this.lists.shift() ?? failing(down);
        return step(options);
      },
      watch: (_: unknown, options: WatchOptions & { signal?: AbortSignal }) => {
        this.asked.push(`watch ${options.resourceVersion}`);
        return (this.watches.shift() ?? standing())(options);
      },
    } as unknown as KubeClient;
    this.informer = informer<Pod>(client, PODS, { clock: this.clock, random: () => 0.5 });
    this.informer.on(({ type, object }) =>
      this.changes.push(`${type} ${object.metadata?.name}@${object.metadata?.resourceVersion}`),
    );
  }

  async run(ms = 0): Promise<void> {
    this.informer.start();
    await this.clock.advance(ms);
    await this.clock.advance(0);
  }

  names(): string[] {
    return this.informer.list().map(({ metadata }) => metadata?.name ?? '');
  }
}

describe('informer', () => {
  test('lists page by page, then watches from the list', async () => {
    const world = new World({
      lists: [page('10', [pod('a', '1')], 'next'), page('10', [pod('b', '2')])],
      watches: [
        standing(
          { type: 'ADDED', object: pod('c', '11') },
          { type: 'MODIFIED', object: pod('a', '12') },
          { type: 'DELETED', object: pod('b', '13') },
        ),
      ],
    });
    await world.run();
    await world.informer.synced();
    assert.deepEqual(world.asked, ['list', 'list next', 'watch 10']);
    assert.deepEqual(world.changes, ['added a@1', 'added b@2', 'added c@11', 'updated a@12', 'deleted b@13']);
    assert.deepEqual(world.names(), ['a', 'c']);
    assert.equal(world.informer.get({ namespace: 'default', name: 'a' })?.metadata?.resourceVersion, '12');
    await world.informer[Symbol.asyncDispose]();
  });

  test('goes on after a dropped watch where it stopped, bookmarks counted', async () => {
    const world = new World({
      lists: [page('10', [])],
      watches: [
        events(
          { type: 'ADDED', object: pod('a', '11') },
          { type: 'BOOKMARK', object: { metadata: { resourceVersion: '50' } } },
        ),
      ],
    });
    await world.run();
    assert.deepEqual(world.asked, ['list', 'watch 10', 'watch 50']);
    await world.informer[Symbol.asyncDispose]();
  });

  for (const [name, watch] of [
    ['an ERROR event with 410', events({ type: 'ERROR', object: { code: 410, reason: 'Expired' } })],
    ['a 410 answer', failing(gone)],
  ] as const) {
    test(`${name} lists again at once and tells what changed meanwhile`, async () => {
      const world = new World({
        lists: [page('10', [pod('a', '1'), pod('b', '2')]), page('90', [pod('a', '80'), pod('c', '81')])],
        watches: [watch],
      });
      await world.run();
      assert.deepEqual(world.asked, ['list', 'watch 10', 'list', 'watch 90']);
      assert.deepEqual(world.changes, ['added a@1', 'added b@2', 'deleted b@2', 'updated a@80', 'added c@81']);
      await world.informer[Symbol.asyncDispose]();
    });
  }

  test('410 after 410 is not asked without end', async () => {
    const world = new World({
      lists: Array.from({ length: 100 }, () => page('10', [])),
      watches: Array.from({ length: 100 }, () => failing(gone)),
    });
    await world.run(10_000);
    assert.ok(world.asked.length < 16, `${world.asked.length} requests in 10 s`);
    await world.informer[Symbol.asyncDispose]();
  });

  test('a page whose token expired starts again without pages', async () => {
    const limits: (number | undefined)[] = [];
    const world = new World({
      lists: [
        page('10', [pod('a', '1')], 'old'),
        failing(gone),
        (options) => {
          limits.push(options.limit);
          return page('20', [pod('b', '2')])(options);
        },
      ],
      watches: [],
    });
    await world.run();
    assert.deepEqual(world.asked, ['list', 'list old', 'list', 'watch 20']);
    assert.deepEqual(limits, [undefined]);
    assert.deepEqual(world.names(), ['b']);
    await world.informer[Symbol.asyncDispose]();
  });

  test('a server that is away for an hour is asked at most twice a minute, and the state is kept', async () => {
    const hour = 3_600_000;
    const world = new World({
      lists: [page('10', [pod('a', '1')])],
      watches: Array.from({ length: 1000 }, () => failing(down)),
    });
    await world.run(hour);
    assert.ok(world.asked.length < 130, `${world.asked.length} requests`);
    assert.deepEqual(world.names(), ['a']);
    assert.equal(world.informer.trouble?.error, down);
    world.watches.length = 0;
    world.watches.push(standing({ type: 'MODIFIED', object: pod('a', '99') }));
    await world.clock.advance(60_000);
    assert.equal(world.informer.trouble, undefined);
    assert.deepEqual(world.changes, ['added a@1', 'updated a@99']);
    await world.informer[Symbol.asyncDispose]();
  });

  test('a server that ends each watch at once is not asked without end', async () => {
    const world = new World({ lists: [page('10', [])], watches: Array.from({ length: 1000 }, () => events()) });
    await world.run(10_000);
    assert.ok(world.asked.length < 10, `${world.asked.length} requests in 10 s`);
    await world.informer[Symbol.asyncDispose]();
  });

  test('a watch that the server forgot is opened again', async () => {
    const world = new World({ lists: [page('10', [])], watches: [standing(), standing()] });
    await world.run(450_000 + 30_001);
    assert.deepEqual(world.asked, ['list', 'watch 10', 'watch 10']);
    await world.informer[Symbol.asyncDispose]();
  });

  test('the same name with another UID is a deletion and an addition', async () => {
    const world = new World({
      lists: [page('10', [pod('a', '1', 'one')])],
      watches: [standing({ type: 'MODIFIED', object: pod('a', '12', 'two') })],
    });
    await world.run();
    assert.deepEqual(world.changes, ['added a@1', 'deleted a@1', 'added a@12']);
    await world.informer[Symbol.asyncDispose]();
  });

  test('a listener that throws does not stop the others', async () => {
    const world = new World({ lists: [page('10', [pod('a', '1')])], watches: [] });
    world.informer.on(failing(new Error('mine')));
    const seen: string[] = [];
    world.informer.on(({ type }) => seen.push(type));
    await world.run();
    assert.deepEqual(seen, ['added']);
    const late: string[] = [];
    world.informer.on(({ object }) => late.push(object.metadata?.name ?? ''));
    assert.deepEqual(late, ['a']);
    await world.informer[Symbol.asyncDispose]();
  });

  test('waiting for the list ends with the signal or the informer', async () => {
    const world = new World({ lists: [], watches: [] });
    await world.run();
    await assert.rejects(world.informer.synced({ signal: AbortSignal.abort(new Error('enough')) }), /enough/);
    const waiting = world.informer.synced();
    await world.informer[Symbol.asyncDispose]();
    await assert.rejects(waiting, /closed/);
  });
});
