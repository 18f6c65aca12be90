/** The image of a container's next try. */
import { isNotFound, SECRETS } from '#kube';
import type { Secret } from '#kube/types';
import type { Action } from '../decide/plan.ts';
import { type Change, containerOf, type EffectContext, withContainer } from './context.ts';

export async function pull(context: EffectContext, action: Extract<Action, { do: 'pull' }>): Promise<Change> {
  const { pod, dependencies, objects, images, signal } = context;
  const container = containerOf(context, action);
  const secrets = await dependencies.images.pullSecrets(pod, async (namespace, name): Promise<Secret | undefined> => {
    try {
      return await objects.secret(namespace, name);
    } catch (error) {
      if (!isNotFound(error)) dependencies.log.warn('a pull secret cannot be read', { [SECRETS.kind]: name, error });
      return undefined;
    }
  });
  const answer = await dependencies.images.ensureImage({ pod, container, kind: action.kind, secrets, signal });
  if (answer.waiting !== undefined) {
    const { reason, message } = answer.waiting;
    return withContainer(context, container.name, { waiting: { reason, message, until: answer.retryAt } });
  }
  images.set(container.name, answer.image);
  return withContainer(context, container.name, { pulled: true, waiting: undefined });
}
