/** The pod's volumes: made before its containers, and made again when they may be old. */
import { existsSync } from 'node:fs';
import { delayOf, messageOf } from '#kit';
import { type Change, type EffectContext, factsOf, tell } from './context.ts';
import { isolationOf } from './runtime-class.ts';

/** Source: kubelet `goroutinemap/exponentialbackoff`: 500 ms, doubling, at most 2 m 2 s. */
const RETRY = { base: 500, factor: 2, cap: 122_000 };
const REFRESH_RETRY = 30_000;

export async function mount(context: EffectContext): Promise<Change> {
  const { pod, volumes, dependencies } = context;
  try {
    await prepare(context);
    const { refreshAt } = await volumes.setUp(pod, factsOf(context));
    return { volumes: 'mounted', refreshAt, retryAt: undefined };
  } catch (error) {
    tell(context, { type: 'Warning', reason: 'FailedMount', message: messageOf(error) });
    return { retryAt: dependencies.clock.now() + delayOf(RETRY, context.failures) };
  }
}

/**
 * The tenant's sandbox is asked for before anything is made below the tenant's root: only an empty root can be that of the warm
 * one. Where there are files already, it starts while the volumes are made. That it cannot be had is `create`'s to say.
 */
async function prepare({ pod, observed, places, dependencies, signal }: EffectContext): Promise<void> {
  const isolation = isolationOf(observed.handler ?? '');
  const tenant = pod.metadata?.namespace ?? '';
  const podUid = pod.metadata?.uid ?? '';
  if (isolation !== 'tenant')
    return await dependencies.runtime.prepare?.({ tenant, isolation, podUid }).catch(() => {});
  const isNew = !existsSync(places.tenant);
  const prepared = dependencies.runtime.prepare?.({ tenant, isolation, podUid }).catch(() => {});
  if (prepared === undefined || !isNew || signal.aborted) return;
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const leave = (): void => resolve();
  signal.addEventListener('abort', leave, { once: true });
  await Promise.race([prepared, aborted]);
  signal.removeEventListener('abort', leave);
}

/** What is there stays as it is while new contents cannot be had. */
export async function refresh(context: EffectContext): Promise<Change> {
  const { pod, volumes, dependencies } = context;
  try {
    return await volumes.setUp(pod, factsOf(context));
  } catch (error) {
    tell(context, { type: 'Warning', reason: 'FailedMount', message: messageOf(error) });
    return { refreshAt: dependencies.clock.now() + REFRESH_RETRY };
  }
}
