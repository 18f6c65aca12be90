/**
 * A container's `volumeMounts` as the runtime's mounts. Source of words and order: kubelet `kubelet_pods.go` makeMounts.
 * A subPath is resolved here and must stay in its volume; what a guest changes afterwards is bounded by its tenant's walls.
 */
import { mkdir, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, normalize, sep } from 'node:path';
import { ffiAvailable, Tree } from '#kit/os';
import type { Container, Pod, VolumeMount } from '#kube/types';
import type { Mount } from '#runtime';
import { podError } from '../pod/errors.ts';
import { expand } from '../pod/expand.ts';
import type { PodPlaces } from '../pod/places.ts';
import { volumeTypeOf } from './types.ts';

/** Contents that the node writes: no guest may. Source: kubelet pkg/volume/*, GetAttributes ReadOnly. */
const NODE_WRITES: ReadonlySet<string> = new Set(['configMap', 'secret', 'downwardAPI', 'projected']);

export interface MountsInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly places: PodPlaces;
  /** For subPathExpr. */
  readonly env: ReadonlyMap<string, string>;
}

export async function volumeMounts({ pod, container, places, env }: MountsInput): Promise<Mount[]> {
  const mounts: Mount[] = [];
  for (const mount of container.volumeMounts ?? []) {
    const volume = pod.spec?.volumes?.find(({ name }) => name === mount.name);
    if (volume === undefined) {
      throw podError(
        'POD_CONFIG_INVALID',
        `cannot find volume "${mount.name}" to mount into container "${container.name}"`,
      );
    }
    const type = volumeTypeOf(volume);
    const root = places.volume(type.plugin, volume.name);
    const subPath = subPathOf(mount, env);
    mounts.push({
      guestPath: guestPathOf(mount),
      hostPath:
        subPath === '' ? root : await inside(root, subPath, { mount, container, tree: new Tree(places.tenant) }),
      readOnly: mount.readOnly === true || NODE_WRITES.has(type.field),
    });
  }
  return mounts;
}

function guestPathOf({ mountPath }: VolumeMount): string {
  if (mountPath.includes('\0')) throw podError('POD_CONFIG_INVALID', 'a mountPath holds a zero byte');
  return normalize(isAbsolute(mountPath) ? mountPath : `/${mountPath}`).replace(/(.)\/$/, '$1');
}

function subPathOf({ subPath = '', subPathExpr = '' }: VolumeMount, env: ReadonlyMap<string, string>): string {
  if (subPathExpr === '') return checked(subPath);
  const path = expand(subPathExpr, (name) => env.get(name));
  if (/\$\([A-Za-z_.-][\w.-]*\)/.test(path)) {
    throw podError('POD_CONFIG_INVALID', `missing value for a variable of subPathExpr "${subPathExpr}"`);
  }
  return checked(path);
}

function checked(path: string): string {
  if (isAbsolute(path)) throw podError('POD_CONFIG_INVALID', `error SubPath \`${path}\` must not be an absolute path`);
  if (path.split('/').includes('..')) {
    throw podError('POD_CONFIG_INVALID', `unable to provision SubPath \`${path}\`: must not contain '..'`);
  }
  return path;
}

interface Inside {
  readonly mount: VolumeMount;
  readonly container: Container;
  readonly tree: Tree;
}

async function inside(root: string, subPath: string, { mount, container, tree }: Inside): Promise<string> {
  const parts = subPath.split('/').filter((one) => one !== '' && one !== '.');
  try {
    return ffiAvailable() ? tree.resolve(root, parts) : await insideOfTrusted(root, parts);
  } catch (cause) {
    throw podError(
      'POD_CONFIG_INVALID',
      `failed to prepare subPath for volumeMount "${mount.name}" of container "${container.name}"`,
      { cause },
    );
  }
}

/** Without `node:ffi` every guest is trusted: a link that leaves the volume is refused, one that is put there between two steps is followed. */
async function insideOfTrusted(root: string, parts: readonly string[]): Promise<string> {
  const realRoot = await realpath(root);
  let at = realRoot;
  for (const part of parts) {
    const next = join(at, part);
    // One step at a time: a directory is only made below a place that was checked.
    if ((await stat(next).catch(() => undefined)) === undefined) await mkdir(next, { mode: 0o777 }).catch(() => {});
    at = await realpath(next);
    if (at !== realRoot && !at.startsWith(realRoot + sep)) throw new RangeError('it leads out of the volume');
  }
  return at;
}
