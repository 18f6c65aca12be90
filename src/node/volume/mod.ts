/** Volumes of pods: made before the first container, kept while any runs, removed when all have ended. */
import { existsSync } from 'node:fs';
import { mkdir, rm, symlink } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { type Clock, type Log, messageOf } from '#kit';
import { Tree } from '#kit/os';
import type { Pod } from '#kube/types';
import { podError } from '../pod/errors.ts';
import { type PodPlaces, placesOf } from '../pod/places.ts';
import type { NodeFacts, ObjectSource } from './contract.ts';
import { volumeTypeOf } from './types.ts';

export type { NodeFacts, ObjectSource, VolumeContext, VolumeResult, VolumeType } from './contract.ts';
export { volumeMounts } from './mounts.ts';
export { VOLUME_TYPES, volumeTypeOf } from './types.ts';

export interface VolumesOptions {
  readonly dataDir: string;
  readonly objects: ObjectSource;
  readonly clock: Clock;
  readonly log: Log;
  /** How old contents may get, in milliseconds. */
  readonly refreshEvery: number;
}

/** Volumes whose content follows an object that can change. */
const FOLLOWING = ['configMap', 'secret', 'downwardAPI', 'projected'] as const;

export class Volumes {
  readonly #options: VolumesOptions;

  constructor(options: VolumesOptions) {
    this.#options = options;
  }

  /** Makes or renews them all. Rejects with POD_VOLUME_UNSUPPORTED or POD_VOLUME_FAILED, the kubelet's words as message. */
  async setUp(pod: Pod, facts: NodeFacts): Promise<{ readonly refreshAt: number | undefined }> {
    const places = placesOf(pod, this.#options.dataDir);
    const tree = await treeOf(places);
    tree.makeFolder(places.home);
    await link(places.link, places.home);
    const { clock, refreshEvery } = this.#options;
    const volumes = pod.spec?.volumes ?? [];
    // A type that is not known is said before anything is made.
    for (const volume of volumes) this.#named(volume.name, () => volumeTypeOf(volume));
    const times: number[] = [];
    for (const volume of volumes) {
      const type = volumeTypeOf(volume);
      const path = places.volume(type.plugin, volume.name);
      const { refreshAt } = await this.#setUpOne(pod, { volume, type, path, tree, facts });
      if (refreshAt !== undefined) times.push(refreshAt);
      if (FOLLOWING.some((field) => volume[field] !== undefined)) times.push(clock.now() + refreshEvery);
    }
    return { refreshAt: times.length === 0 ? undefined : Math.min(...times) };
  }

  /** Removes the pod's directory and what leads to it; its logs stay. */
  async tearDown(pod: Pod): Promise<void> {
    const places = placesOf(pod, this.#options.dataDir);
    for (const volume of pod.spec?.volumes ?? []) {
      const type = known(() => volumeTypeOf(volume));
      await type?.tearDown?.(places.volume(type.plugin, volume.name));
    }
    await new Tree(places.tenant).remove(places.home);
    await rm(places.link, { force: true });
  }

  async #setUpOne(
    pod: Pod,
    { volume, type, path, tree, facts }: { facts: NodeFacts; path: string; tree: Tree } & VolumeAndType,
  ): Promise<{ refreshAt?: number | undefined }> {
    const { objects, clock, log } = this.#options;
    try {
      return await type.setUp({ pod, volume, path, tree, objects, facts, clock, log });
    } catch (error) {
      throw mountError(volume.name, error);
    }
  }

  #named<T>(name: string, find: () => T): T {
    try {
      return find();
    } catch (error) {
      throw mountError(name, error);
    }
  }
}

interface VolumeAndType {
  readonly volume: NonNullable<NonNullable<Pod['spec']>['volumes']>[number];
  readonly type: ReturnType<typeof volumeTypeOf>;
}

/** Source of the words: kubelet `volume/util/types` GenerateError, "MountVolume.SetUp". */
function mountError(volume: string, error: unknown) {
  const unsupported = error instanceof Error && 'code' in error && error.code === 'POD_VOLUME_UNSUPPORTED';
  const code = unsupported ? 'POD_VOLUME_UNSUPPORTED' : 'POD_VOLUME_FAILED';
  return podError(code, `MountVolume.SetUp failed for volume "${volume}" : ${messageOf(error)}`, { cause: error });
}

function known<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch {
    return undefined;
  }
}

/** The files of a pod's tenant, which has a root from here on. */
export async function treeOf({ tenant }: PodPlaces): Promise<Tree> {
  if (!existsSync(tenant)) await mkdir(tenant, { recursive: true });
  return new Tree(tenant);
}

/** A relative link, so that the data directory can be moved as a whole. */
export async function link(path: string, target: string): Promise<void> {
  const make = () => symlink(relative(dirname(path), target), path);
  try {
    await make().catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      await mkdir(dirname(path), { recursive: true });
      await make();
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

export type { PodPlaces };
