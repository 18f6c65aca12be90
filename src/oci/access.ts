/**
 * Who may use an image that is here already. What came with a pod's own credential is for those who can show the same one;
 * what came without one, with the machine's, or by import is for everybody. Source: kubelet KEP-2535, `pkg/kubelet/images/pullmanager`
 * with its default policy NeverVerifyPreloadedImages.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Credential } from './auth/keyring.ts';
import type { StoredRef } from './store/refs.ts';

/** Credentials remembered for one reference at most; the oldest go first and are asked for again. */
const MAX_MARKS = 64;

/** A mark of a credential that tells nothing about it: salted, `salt:hmac`. */
export function markOf(credential: Credential, salt: string = randomBytes(16).toString('hex')): string {
  return `${salt}:${createHmac('sha256', salt).update(JSON.stringify(credential)).digest('hex')}`;
}

export function mayUse({ access }: Pick<StoredRef, 'access'>, credentials: readonly Credential[]): boolean {
  if (access === undefined) return true;
  return access.some((mark) => credentials.some((credential) => isMarkOf(mark, credential)));
}

/** The access of a reference after another pull of it; `credential` is undefined when anybody could have done it. */
export function accessAfter(
  before: Pick<StoredRef, 'access' | 'digest'> | undefined,
  { digest, credential }: { digest: string; credential: Credential | undefined },
): readonly string[] | undefined {
  if (credential === undefined) return undefined;
  if (before === undefined || before.digest !== digest) return [markOf(credential)];
  if (mayUse(before, [credential])) return before.access;
  return [...(before.access ?? []), markOf(credential)].slice(-MAX_MARKS);
}

function isMarkOf(mark: string, credential: Credential): boolean {
  const again = Buffer.from(markOf(credential, mark.split(':', 1)[0]));
  const given = Buffer.from(mark);
  return given.length === again.length && timingSafeEqual(given, again);
}
