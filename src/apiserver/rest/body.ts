/** A request's body as a value. Sizes are bounded where the bytes are read, depth here. */
import { messageOf } from '#kit';
import { parse as parseYaml } from '#kit/yaml';
import { decodeProtobuf } from '#kube/schema';
import type { PatchFlavour } from '../kinds.ts';
import { badRequest, unsupportedMediaType } from '../status.ts';
import { bodyType, plainType } from './media.ts';
import type { ApiRequest } from './request.ts';

const MAX_DEPTH = 100;

export interface Body {
  readonly value: unknown;
  readonly text: string;
}

export async function readBody({ body, headers }: ApiRequest): Promise<Body> {
  const type = bodyType(headers['content-type'] as string | undefined);
  if (type === 'protobuf') return { value: protobufOf(await body()), text: '' };
  return parseBody(Buffer.from(await body()).toString('utf8'), type);
}

export function parseBody(text: string, type: 'json' | 'yaml'): Body {
  const value = type === 'json' ? jsonOf(text) : yamlOf(text);
  if (isDeeper(value, MAX_DEPTH)) throw badRequest('the object provided is nested too deeply');
  return { value, text };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw badRequest(`the object provided is unrecognized (must be of type json): ${messageOf(error)}`);
  }
}

function yamlOf(text: string): unknown {
  try {
    return parseYaml(text, { maxAliasCount: 64, schema: 'yaml-1.1', logLevel: 'silent' }) as unknown;
  } catch (error) {
    throw badRequest(`error decoding YAML: ${messageOf(error)}`);
  }
}

function protobufOf(bytes: Uint8Array): unknown {
  try {
    return decodeProtobuf(bytes).object;
  } catch (error) {
    throw badRequest(messageOf(error));
  }
}

function isDeeper(value: unknown, left: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return left === 0 || Object.values(value).some((child) => isDeeper(child, left - 1));
}

const PATCH_TYPES: Readonly<Record<string, PatchFlavour>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

export async function readPatch(request: ApiRequest): Promise<Body & { readonly type: PatchFlavour }> {
  const type = PATCH_TYPES[plainType(request.headers['content-type'] as string | undefined)];
  if (type === undefined) throw unsupportedMediaType(Object.keys(PATCH_TYPES));
  const text = Buffer.from(await request.body()).toString('utf8');
  // Apply's text may be JSON, which is YAML: the cheap parser first.
  if (type === 'apply' && !text.trimStart().startsWith('{')) return { ...parseBody(text, 'yaml'), type };
  return { ...parseBody(text, 'json'), type };
}
