/**
 * Service account tokens of pods. Source: kubelet `pkg/kubelet/token/token_manager.go`: a new one at 80 % of its life or
 * after a day. The old one stays in its file until a new one is here: a node without its API server keeps what it has.
 */
import { fromTime } from '#kube';
import type { ServiceAccountTokenProjection } from '#kube/types';
import type { VolumeContext } from './contract.ts';

const DAY = 24 * 3600 * 1000;
const RETRY = 30_000;

interface Kept {
  readonly token: string;
  readonly refreshAt: number;
  readonly expiresAt: number;
}

/** By volume path and file: tokens live in the node's memory and in the volume, nowhere else. */
const kept = new Map<string, Kept>();

export async function tokenFor(
  context: VolumeContext,
  source: ServiceAccountTokenProjection,
): Promise<{ token: string; refreshAt: number }> {
  const key = `${context.path}/${source.path}`;
  const now = context.clock.now();
  const old = kept.get(key);
  if (old !== undefined && now < old.refreshAt) return old;
  try {
    const fresh = await request(context, source, now);
    kept.set(key, fresh);
    return fresh;
  } catch (error) {
    if (old === undefined) throw error;
    context.log.warn('a service account token could not be renewed; the old one stays', { path: key, error });
    return { token: old.token, refreshAt: now + RETRY };
  }
}

export function forgetTokens(path: string): void {
  for (const key of kept.keys()) if (key.startsWith(`${path}/`)) kept.delete(key);
}

async function request(context: VolumeContext, source: ServiceAccountTokenProjection, now: number): Promise<Kept> {
  const seconds = source.expirationSeconds ?? 3600;
  const { token, expirationTimestamp } = await context.objects.token(context.pod, {
    audience: source.audience,
    expirationSeconds: seconds,
  });
  const expiresAt = fromTime(expirationTimestamp) ?? now + seconds * 1000;
  return { token, expiresAt, refreshAt: Math.min(now + (expiresAt - now) * 0.8, now + DAY) };
}
