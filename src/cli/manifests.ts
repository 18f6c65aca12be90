/** Reads Kubernetes manifests from files, folders, URLs and standard input, and says where a mistake is: file, line, column. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '#kube/types';
import { cliError } from './errors.ts';

const MAX_BYTES = 16 * 1024 * 1024;
const ENDINGS = ['.yaml', '.yml', '.json'];

export interface Manifest {
  readonly object: KubeObject;
  /** `file:line` where it starts, for messages. */
  readonly origin: string;
}

interface Source {
  readonly name: string;
  readonly text: string;
}

export async function readManifests(
  paths: readonly string[],
  { signal }: { signal?: AbortSignal } = {},
): Promise<Manifest[]> {
  const manifests: Manifest[] = [];
  for (const path of paths) {
    for (const source of await sourcesOf(path, signal)) manifests.push(...(await parse(source)));
  }
  if (manifests.length === 0) {
    throw cliError('CLI_BAD_MANIFEST', `Cannot read '${paths.join("', '")}': no object in it`, {
      hint: 'A manifest is YAML or JSON with apiVersion, kind and metadata.name.',
    });
  }
  return manifests;
}

async function sourcesOf(path: string, signal: AbortSignal | undefined): Promise<Source[]> {
  if (path === '-') return [{ name: 'standard input', text: await readStandardInput() }];
  if (/^https?:\/\//.test(path)) return [{ name: path, text: await download(path, signal) }];
  try {
    if (!statSync(path).isDirectory()) return [{ name: path, text: readFileSync(path, 'utf8') }];
    const names = readdirSync(path).filter((name) => ENDINGS.some((ending) => name.endsWith(ending)));
    return names.sort().map((name) => ({ name: join(path, name), text: readFileSync(join(path, name), 'utf8') }));
  } catch (cause) {
    throw cliError('CLI_NOT_FOUND', `Cannot read '${path}'`, { cause });
  }
}

async function readStandardInput(): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks).toString('utf8');
}

async function download(url: string, signal: AbortSignal | undefined): Promise<string> {
  const timeout = AbortSignal.timeout(30_000);
  try {
    const response = await fetch(url, { signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]) });
    if (!response.ok) throw new Error(`the server answered ${response.status} ${response.statusText}`);
    const bytes = await bounded(response.body);
    return bytes.toString('utf8');
  } catch (cause) {
    throw cliError('CLI_NOT_FOUND', `Cannot read '${url}'`, { cause });
  }
}

async function bounded(body: ReadableStream<Uint8Array> | null): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error(`it is over ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function parse({ name, text }: Source): Promise<Manifest[]> {
  if (text.length > MAX_BYTES) throw bad(name, `it is over ${MAX_BYTES} bytes`);
  const { LineCounter, parseAllDocuments } = await import('#kit/yaml');
  const lines = new LineCounter();
  // Aliases are bounded by the library (maxAliasCount), so a "billion laughs" file ends here with an error.
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) {
      const { line, col } = lines.linePos(error.pos[0]);
      throw bad(`${name}:${line}:${col}`, error.message);
    }
    const start = lines.linePos(document.contents?.range?.[0] ?? 0);
    const origin = `${name}:${start.line}`;
    const value: unknown = toPlain(document, origin);
    return value === null || value === undefined ? [] : objectsOf(value, origin);
  });
}

function toPlain(document: { toJS(options: { maxAliasCount: number }): unknown }, origin: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw bad(origin, 'it cannot be read', cause);
  }
}

function objectsOf(value: unknown, origin: string): Manifest[] {
  const object = value as KubeObject & { items?: unknown };
  if (typeof value !== 'object' || Array.isArray(value)) throw bad(origin, 'it is not an object');
  if (typeof object.kind !== 'string' || typeof object.apiVersion !== 'string') {
    throw bad(origin, 'apiVersion or kind is missing');
  }
  if (object.kind === 'List' && Array.isArray(object.items))
    return object.items.flatMap((item) => objectsOf(item, origin));
  const named = object.metadata?.name ?? object.metadata?.generateName;
  if (typeof named !== 'string' || named === '') throw bad(origin, `metadata.name of the ${object.kind} is missing`);
  return [{ object, origin }];
}

function bad(where: string, why: string, cause?: unknown): Error {
  return cliError('CLI_BAD_MANIFEST', `Cannot read ${where}: ${why}`, cause === undefined ? {} : { cause });
}
