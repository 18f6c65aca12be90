/** Digests: only sha256, the one algorithm that every registry speaks. https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests */
import { createHash } from 'node:crypto';

export function sha256Of(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function isDigest(text: unknown): text is string {
  return typeof text === 'string' && /^sha256:[0-9a-f]{64}$/.test(text);
}

/** The 64 hexadecimal digits of a digest that `isDigest` accepted. */
export function hexOf(digest: string): string {
  if (!isDigest(digest)) throw new TypeError(`Cannot use '${digest}': it is not a sha256 digest`);
  return digest.slice('sha256:'.length);
}
