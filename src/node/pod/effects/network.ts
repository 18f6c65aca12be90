/** The pod's place: its address, and what must be known before anything is made for it. */
import { messageOf } from '#kit';
import { admit } from '../decide/admission.ts';
import { type Change, type EffectContext, tell } from './context.ts';
import { handlerOf } from './runtime-class.ts';

const RETRY_AFTER = 10_000;

export async function network(context: EffectContext): Promise<Change> {
  const { pod, observed, dependencies } = context;
  const now = dependencies.clock.now();
  try {
    const { sandbox } = admit(pod);
    if (sandbox !== undefined) throw new Error(sandbox);
    const handler = await handlerOf(pod, dependencies);
    const preferred = observed.podIPs[0] ?? pod.status?.podIP;
    const address = dependencies.network.allocate(pod, { preferred });
    if (context.failures === 0) notice(context);
    return { network: 'ready', handler, podIPs: [address], retryAt: undefined, networkProblem: undefined };
  } catch (error) {
    const message = `Failed to create pod sandbox: ${messageOf(error)}`;
    tell(context, { type: 'Warning', reason: 'FailedCreatePodSandBox', message });
    return { retryAt: now + RETRY_AFTER, networkProblem: message };
  }
}

/** A field that this node leaves out is said once, so that nobody waits for a probe that never runs. */
function notice(context: EffectContext): void {
  const { notices } = admit(context.pod);
  if (notices.length === 0) return;
  const message = `This node does not act on: ${notices.join(', ')}`;
  tell(context, { type: 'Warning', reason: 'NotHonoured', message });
}
