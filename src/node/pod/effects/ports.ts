/** The sockets of a pod's declared ports, and the condition that says which are missing. */
import type { Listener } from '#runtime';
import type { Change, EffectContext } from './context.ts';

/** `listeners` is undefined when a port of this container has no socket. */
export function portsOf(
  { pod, observed, dependencies }: EffectContext,
  container: string,
): { readonly listeners: readonly Listener[] | undefined; readonly change: Change } {
  const { listeners, problems } = dependencies.network.bind(pod);
  const declared = listeners.size > 0 || problems.length > 0;
  const message = problems.map((problem) => problem.message).join('; ');
  const bound = problems.length === 0;
  const change: Change = declared || observed.ports !== undefined ? { ports: { bound, message } } : {};
  const mine = problems.some((problem) => problem.container === container);
  return { listeners: mine ? undefined : (listeners.get(container) ?? []), change };
}
