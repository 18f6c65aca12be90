/** A node's pod side with fakes around it: what the tests of this folder start from. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock, silentLog } from '#kit';
import type { EventRecorder } from '#kube';
import type { Pod, PodSpec } from '#kube/types';
import type { WorkloadImage } from '#oci';
import type { ImageAnswer, ImageManager } from '../image/mod.ts';
import { Listeners } from '../network/listeners.ts';
import { createStandaloneNetwork, planOf } from '../network/mod.ts';
import type { PodManagerDependencies } from './dependencies.ts';
import { FakeApi } from './fake-api.ts';
import { createFakeRuntime, FakeMachine } from './fake-runtime.ts';
import { createPodManager, type IdlePodManager } from './manager.ts';

export interface Told {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly fieldPath: string | undefined;
}

export interface World extends Disposable {
  readonly clock: FakeClock;
  readonly machine: FakeMachine;
  readonly api: FakeApi;
  readonly events: Told[];
  readonly dataDir: string;
  /** Answers of the image manager, by image name; anything else is there. */
  readonly images: Map<string, ImageAnswer>;
  manager: IdlePodManager;
  /** Another node process on the same directory, machine and API; not yet `listed`, it has not heard of the API's pods. */
  restart(options?: { readonly listed?: boolean }): Promise<void>;
  /** Lets everything that is ready happen, and time pass. */
  run(ms?: number): Promise<void>;
}

export const image: WorkloadImage = {
  reference: 'docker.io/library/hello:1',
  id: 'docker.io/library/hello@sha256:aa',
  digest: 'sha256:aa',
  moduleDigest: 'sha256:bb',
  modulePath: '/content/bb',
  size: 1,
  programName: 'hello',
  entrypoint: [],
  cmd: [],
  env: [],
  workingDir: '',
  stopSignal: undefined,
  user: undefined,
  labels: {},
  flavour: 'test',
};

export function createWorld(
  options: { ports?: (port: number) => void; more?: Partial<PodManagerDependencies>; onTerm?: 'end' | 'ignore' } = {},
): World {
  const clock = new FakeClock();
  const machine = new FakeMachine({ clock, onTerm: options.onTerm ?? 'end' });
  const api = new FakeApi();
  const events: Told[] = [];
  const images = new Map<string, ImageAnswer>();
  const dataDir = mkdtempSync(join(tmpdir(), 'wasmlet-pods-'));
  let fd = 1000;
  function start(): IdlePodManager {
    const listeners = new Listeners({
      listen: ({ port }) => {
        options.ports?.(port);
        return fd++;
      },
      close: () => {},
    });
    const subnet = {
      number: 7,
      nodeAddress: '127.42.7.1',
      ...planOf(7),
      [Symbol.dispose]() {},
    };
    return createPodManager({
      client: api.client(),
      runtime: createFakeRuntime(machine),
      images: fakeImages(images),
      events: recorder(events),
      network: options.more?.network ?? createStandaloneNetwork(subnet, listeners),
      dataDir,
      nodeName: 'edge-1',
      clock,
      log: silentLog,
      ...options.more,
    });
  }
  const world: World = {
    clock,
    machine,
    api,
    events,
    dataDir,
    images,
    manager: start(),
    async restart({ listed = true } = {}) {
      await world.manager.stop({ guests: 'keep' });
      world.manager = start();
      await world.manager.recover();
      if (!listed) return;
      for (const object of api.objects.values()) if (object.kind === 'Pod') world.manager.update(object);
      world.manager.settled();
      await world.run();
    },
    async run(ms = 0) {
      await quiet(world);
      // In steps, as news that come with time ask for work that takes none.
      for (let left = ms; left > 0; left -= 1_000) {
        await clock.advance(Math.min(1_000, left));
        await quiet(world);
      }
    },
    [Symbol.dispose]() {
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  api.onChange = (pod) => world.manager.update(pod);
  api.onDelete = (pod) => world.manager.remove(pod);
  return world;
}

async function quiet({ manager, clock }: World): Promise<void> {
  for (let round = 0; round < 4; round++) {
    await clock.advance(0);
    await manager.idle();
  }
}

export function podOf(spec: Partial<PodSpec> = {}, metadata: Pod['metadata'] = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', uid: 'u-1', generation: 1, ...metadata },
    spec: {
      containers: [{ name: 'main', image: 'hello:1' }],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      ...spec,
    },
  };
}

function fakeImages(answers: ReadonlyMap<string, ImageAnswer>): ImageManager {
  return {
    ensureImage: async ({ container }) => answers.get(container.image ?? '') ?? { image },
    pullSecrets: async () => [],
    forget: () => {},
    images: async () => [],
    async [Symbol.asyncDispose]() {},
  };
}

function recorder(told: Told[]): EventRecorder {
  return {
    record: (_about, { type, reason, message, fieldPath }) => void told.push({ type, reason, message, fieldPath }),
    flush: async () => {},
    dropped: 0,
    async [Symbol.asyncDispose]() {},
  };
}
