/** What the tests of pulls share: a store in a folder of its own, a puller, modules, and a clock that hurries. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, FakeClock } from '#kit';
import { type ArtifactOptions, artifactOf } from '../artifact.ts';
import type { WorkloadImage } from '../image.ts';
import { Puller, type PullerOptions, type PullOptions } from '../pull.ts';
import { parseReference } from '../reference.ts';
import { ContentStore } from '../store/store.ts';
import { FakeRegistry } from './registry.ts';

/** A module of `size` bytes: the header and one custom section of noise. */
export function moduleOf(size = 64, fill = 7): Uint8Array {
  const bytes = Buffer.alloc(Math.max(size, 16), fill);
  bytes.set([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  return bytes;
}

export function sample(module = moduleOf(), options: Partial<ArtifactOptions> = {}): ReturnType<typeof artifactOf> {
  return artifactOf(module, { format: 'cncf', title: 'hello.wasm', created: undefined, ...options });
}

/** Pauses shorter than a stall pass at once and are remembered; longer ones last until they are aborted. */
export class HurriedClock implements Clock {
  readonly slept: number[] = [];

  now(): number {
    return Date.UTC(2026, 0, 1);
  }

  monotonic(): number {
    return 0;
  }

  async sleep(ms: number, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    signal?.throwIfAborted();
    if (ms >= 30_000) return await new FakeClock().sleep(ms, { signal });
    this.slept.push(ms);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export interface Bench extends AsyncDisposable {
  readonly registry: FakeRegistry;
  readonly store: ContentStore;
  readonly puller: Puller;
  readonly directory: string;
  readonly clock: Clock;
  pull(reference: string, options?: PullOptions): Promise<WorkloadImage>;
}

export async function makeBench<C extends Clock = HurriedClock>(
  options: Partial<Omit<PullerOptions, 'clock'>> & { clock?: C } = {},
): Promise<Bench & { readonly clock: C }> {
  const clock = options.clock ?? (new HurriedClock() as unknown as C);
  const directory = await mkdtemp(join(tmpdir(), 'wasmlet-oci-'));
  const registry = await FakeRegistry.start();
  const store = options.store ?? (await ContentStore.open(directory, { clock }));
  const puller = new Puller({ certsDirs: [], ...options, store, clock });
  return {
    registry,
    store,
    puller,
    directory,
    clock,
    pull: (reference, pullOptions) => puller.pull(parseReference(reference), pullOptions),
    async [Symbol.asyncDispose]() {
      puller[Symbol.dispose]();
      await registry[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Waits until something that happens outside our clock has happened. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
