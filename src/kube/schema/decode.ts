/**
 * Bytes to a JSON value, keeping what `JSON.parse` forgets: keys that stand twice. Depth is bounded, so that nothing
 * that walks the value afterwards can run out of stack.
 */
export interface Decoded {
  readonly value: unknown;
  /** Paths of keys that stand twice, as the API server writes them: `spec.containers[0].image`. */
  readonly duplicates: readonly string[];
}

/** Deeper than any Kubernetes object, which needs about twenty. */
const MAX_DEPTH = 100;
/** The API server reports no more strict errors than this. Source: sigs.k8s.io/json `kubernetes_patch.go`. */
const MAX_REPORTED = 100;

/** A message for the person who sent it; never anything but this is thrown. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

export function decodeJson(text: string): Decoded {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DecodeError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
  return { value, duplicates: duplicateKeys(text) };
}

/** YAML 1.1 as `sigs.k8s.io/yaml` reads it, one document. Loads its parser at the first call. */
export async function decodeYaml(text: string): Promise<Decoded> {
  const { parseDocument } = await import('#kit/yaml');
  const document = parseDocument(text, { version: '1.1', uniqueKeys: true, merge: true, stringKeys: false });
  const duplicates: string[] = [];
  for (const error of document.errors) {
    if (error.code === 'DUPLICATE_KEY') duplicates.push(keyAt(text, error.pos[0]));
    else throw new DecodeError(`error converting YAML to JSON: yaml: ${error.message.split('\n')[0] ?? ''}`);
  }
  let plain: string | undefined;
  try {
    plain = JSON.stringify(document.toJS({ maxAliasCount: 100 }));
  } catch (cause) {
    throw new DecodeError(`error converting YAML to JSON: ${cause instanceof Error ? cause.message : ''}`, { cause });
  }
  return { value: decodeJson(plain ?? 'null').value, duplicates };
}

function keyAt(text: string, offset: number): string {
  return /^["']?([^\s"':]*)/.exec(text.slice(offset, offset + 256))?.[1] ?? '';
}

interface Level {
  readonly path: string;
  /** Keys so far of an object; undefined for an array. */
  readonly keys: Set<string> | undefined;
  index: number;
  key: string;
}

/** Walks the tokens of a text that is known to be JSON. */
function duplicateKeys(text: string): string[] {
  const found: string[] = [];
  const levels: Level[] = [];
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;
  let last = '';
  for (let match = tokens.exec(text); match !== null; match = tokens.exec(text)) {
    const token = match[0];
    const level = levels.at(-1);
    if (token === '{' || token === '[') levels.push(open(token, level));
    else if (token === '}' || token === ']') levels.pop();
    else if (token === ',' && level !== undefined) level.index++;
    else if (token === ':' && level?.keys !== undefined) noteKey(level, last, found);
    if (levels.length > MAX_DEPTH) throw new DecodeError('exceeded max depth');
    last = token;
  }
  return found;
}

function open(token: string, parent: Level | undefined): Level {
  const path = parent === undefined ? '' : pathOf(parent);
  return { path, keys: token === '{' ? new Set() : undefined, index: 0, key: '' };
}

function pathOf({ path, keys, index, key }: Level): string {
  if (keys === undefined) return `${path}[${index}]`;
  return path === '' ? key : `${path}.${key}`;
}

function noteKey(level: Level, token: string, found: string[]): void {
  level.key = token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1);
  if (level.keys?.has(level.key) && found.length < MAX_REPORTED) found.push(pathOf(level));
  level.keys?.add(level.key);
}
