/** The pod's volumes: made before its containers, and made again when they may be old. */
import { delayOf, messageOf } from '#kit';
import { type Change, type EffectContext, factsOf, tell } from './context.ts';

/** Source: kubelet `goroutinemap/exponentialbackoff`: 500 ms, doubling, at most 2 m 2 s. */
const RETRY = { base: 500, factor: 2, cap: 122_000 };
const REFRESH_RETRY = 30_000;

export async function mount(context: EffectContext): Promise<Change> {
  const { pod, volumes, dependencies } = context;
  try {
    const { refreshAt } = await volumes.setUp(pod, factsOf(context));
    return { volumes: 'mounted', refreshAt, retryAt: undefined };
  } catch (error) {
    tell(context, { type: 'Warning', reason: 'FailedMount', message: messageOf(error) });
    return { retryAt: dependencies.clock.now() + delayOf(RETRY, context.failures) };
  }
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
