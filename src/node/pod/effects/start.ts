/** A created try is started; that it may run stands on disk before. */
import { writeCheckpoint } from '../checkpoint.ts';
import type { Action } from '../decide/plan.ts';
import { type Change, type EffectContext, idOf, tell, withContainer } from './context.ts';
import { failed } from './create.ts';

export async function start(context: EffectContext, action: Extract<Action, { do: 'start' }>): Promise<Change> {
  const { pod, observed, places, dependencies } = context;
  const { container, attempt } = action;
  try {
    await writeCheckpoint(places.checkpoint, { pod, observed });
    // Not before: a node that is killed in between would not know how it ended.
    if (attempt > 0) await dependencies.runtime.delete(idOf(context, container, attempt - 1));
    await dependencies.runtime.start(idOf(context, container, attempt));
  } catch (error) {
    return failed(context, action, error, { reason: 'RunContainerError' });
  }
  tell(context, { type: 'Normal', reason: 'Started', message: 'Container started', at: action });
  const startedAt = dependencies.clock.now();
  return withContainer(context, container, { instance: { state: 'running', attempt, startedAt }, waiting: undefined });
}

/** The kubelet's order of events of a container that cannot start yet. */
export function backOff(context: EffectContext, action: Extract<Action, { do: 'backOff' }>): Change {
  const { name = '', namespace = '', uid = '' } = context.pod.metadata ?? {};
  const { container, until } = action;
  const message = `Back-off restarting failed container ${container} in pod ${name}_${namespace}(${uid})`;
  tell(context, { type: 'Warning', reason: 'BackOff', message, at: action });
  return withContainer(context, container, { waiting: { reason: 'CrashLoopBackOff', message: action.message, until } });
}
