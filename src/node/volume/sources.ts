/**
 * What each source of a projected volume puts into it; the plain volume types are a projection of one source.
 * Source: kubelet `pkg/volume/{configmap,secret,downwardapi,projected}`.
 */
import { isNotFound } from '#kube';
import type {
  ConfigMapProjection,
  DownwardAPIProjection,
  KeyToPath,
  SecretProjection,
  ServiceAccountTokenProjection,
} from '#kube/types';
import { podError } from '../pod/errors.ts';
import { fieldValue, resourceValue } from '../pod/fields.ts';
import type { Payload } from './atomic-writer.ts';
import type { VolumeContext } from './contract.ts';
import { tokenFor } from './token.ts';

export interface Part {
  readonly files: ReadonlyMap<string, Payload>;
  readonly refreshAt?: number | undefined;
}

export async function configMapFiles(
  context: VolumeContext,
  source: ConfigMapProjection,
  defaultMode: number,
): Promise<Part> {
  const { name = '', items, optional = false } = source;
  const object = await found(() => context.objects.configMap(namespaceOf(context), name), {
    what: `configmap "${name}"`,
    optional,
  });
  const data = new Map<string, Uint8Array | string>(Object.entries(object?.data ?? {}));
  for (const [key, value] of Object.entries(object?.binaryData ?? {})) data.set(key, Buffer.from(value, 'base64'));
  return { files: chosen(data, { items, defaultMode, optional, what: `configmap "${name}"` }) };
}

export async function secretFiles(
  context: VolumeContext,
  source: SecretProjection,
  defaultMode: number,
): Promise<Part> {
  const { name = '', items, optional = false } = source;
  const object = await found(() => context.objects.secret(namespaceOf(context), name), {
    what: `secret "${name}"`,
    optional,
  });
  const data = new Map<string, Uint8Array | string>();
  for (const [key, value] of Object.entries(object?.data ?? {})) data.set(key, Buffer.from(value, 'base64'));
  return { files: chosen(data, { items, defaultMode, optional, what: `secret "${name}"` }) };
}

export function downwardFiles(
  context: VolumeContext,
  { items = [] }: DownwardAPIProjection,
  defaultMode: number,
): Part {
  const files = new Map<string, Payload>();
  for (const { path, fieldRef, resourceFieldRef, mode = defaultMode } of items) {
    if (fieldRef !== undefined) {
      files.set(path, { content: fieldValue(context.pod, fieldRef.fieldPath, context.facts), mode });
    } else if (resourceFieldRef !== undefined) {
      const content = resourceValue(context.pod, resourceFieldRef, { allocatable: context.facts.allocatable });
      files.set(path, { content, mode });
    }
  }
  return { files };
}

export async function tokenFiles(
  context: VolumeContext,
  source: ServiceAccountTokenProjection,
  mode: number,
): Promise<Part> {
  const { token, refreshAt } = await tokenFor(context, source);
  return { files: new Map([[source.path, { content: token, mode }]]), refreshAt };
}

function namespaceOf({ pod }: VolumeContext): string {
  return pod.metadata?.namespace ?? '';
}

async function found<T>(
  get: () => Promise<T>,
  { what, optional }: { what: string; optional: boolean },
): Promise<T | undefined> {
  try {
    return await get();
  } catch (error) {
    if (!isNotFound(error)) throw error;
    if (optional) return undefined;
    throw podError('POD_VOLUME_FAILED', `${what} not found`);
  }
}

interface Choice {
  readonly items: readonly KeyToPath[] | undefined;
  readonly defaultMode: number;
  readonly optional: boolean;
  readonly what: string;
}

function chosen(
  data: ReadonlyMap<string, Uint8Array | string>,
  { items, defaultMode, optional, what }: Choice,
): Map<string, Payload> {
  if (items === undefined || items.length === 0) {
    return new Map([...data].map(([key, content]) => [key, { content, mode: defaultMode }]));
  }
  const files = new Map<string, Payload>();
  for (const { key, path, mode = defaultMode } of items) {
    const content = data.get(key);
    if (content !== undefined) files.set(path, { content, mode });
    else if (!optional)
      throw podError(
        'POD_VOLUME_FAILED',
        `references non-existent ${what.split(' ')[0] === 'secret' ? 'secret' : 'config'} key: ${key}`,
      );
  }
  return files;
}
