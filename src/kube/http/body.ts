/** Bounded reading of what a server sends: whole bodies, and watch streams cut into lines. */
import { kubeError } from '../errors.ts';

export async function readBody(body: AsyncIterable<Uint8Array>, limit: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw kubeError('KUBE_BAD_RESPONSE', `Cannot read the API server's answer: over ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The lines of a stream; a last line without an end is a line too. */
export async function* linesOf(body: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      parts.push(chunk.subarray(from, at));
      const line = Buffer.concat(parts).toString('utf8');
      parts = [];
      size = 0;
      from = at + 1;
      if (line !== '') yield line;
    }
    if (from < chunk.length) {
      parts.push(chunk.subarray(from));
      size += chunk.length - from;
    }
    if (size > limit) throw kubeError('KUBE_BAD_RESPONSE', `Cannot read the watch: a line over ${limit} bytes`);
  }
  const rest = Buffer.concat(parts).toString('utf8');
  if (rest !== '') yield rest;
}

export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw kubeError('KUBE_BAD_RESPONSE', `Cannot read ${what}: not JSON`, { cause });
  }
}
