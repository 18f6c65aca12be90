/** A change of resources is granted or put off, and told to the runtime. What and when: `decide/resize.ts`. */
import { messageOf } from '#kit';
import type { Container, Pod } from '#kube/types';
import { writeCheckpoint } from '../checkpoint.ts';
import type { Observed } from '../decide/observed.ts';
import type { Action } from '../decide/plan.ts';
import { allocationOf, isResizing } from '../decide/resize.ts';
import { allocatedPod, resizableOf } from '../decide/resources.ts';
import { type Change, containerOf, type EffectContext, idOf, seenOf, tell, withContainer } from './context.ts';
import { limitsOf } from './workload.ts';

/** In milliseconds: until what did not fit, or could not be told, is tried again. */
const RETRY_AFTER = 10_000;

/** What was granted stands on disk before anybody acts on it. */
export async function allocate(context: EffectContext): Promise<Change> {
  const { desired, observed, dependencies, places } = context;
  const generation = desired.metadata?.generation;
  if (allocatedPod(desired, observed) === desired) return { resize: { ...observed.resize, pending: undefined } };
  const allocatable = dependencies.allocatable?.() ?? {};
  const answer = allocationOf(desired, { allocatable, taken: context.taken() });
  if (!answer.fits) {
    const { reason, message } = answer;
    const before = observed.resize?.pending;
    const until = reason === 'Deferred' ? dependencies.clock.now() + RETRY_AFTER : undefined;
    if (before?.reason !== reason || before.generation !== generation) {
      const words = `Pod resize ${reason}: ${summaryOf(desired, { generation, error: message })}`;
      tell(context, { type: 'Warning', reason: `Resize${reason}`, message: words });
    }
    return { resize: { ...observed.resize, pending: { reason, message, generation, until } } };
  }
  const change: Change = { containers: granted(desired, observed), resize: { progress: { generation } } };
  await writeCheckpoint(places.checkpoint, { pod: desired, observed: { ...observed, ...change } });
  const message = `Pod resize started: ${summaryOf(desired, { generation })}`;
  tell(context, { type: 'Normal', reason: 'ResizeStarted', message });
  return finished(context, change);
}

function granted(pod: Pod, observed: Observed): Observed['containers'] {
  const containers = new Map(observed.containers);
  for (const { name, resources = {} } of resizableOf(pod)) {
    const seen = containers.get(name);
    if (seen?.allocated !== undefined) containers.set(name, { ...seen, allocated: resources, resizeAt: undefined });
  }
  return containers;
}

/** Repeating it does no harm: the runtime sets limits, and does not add to them. */
export async function resize(context: EffectContext, action: Extract<Action, { do: 'resize' }>): Promise<Change> {
  const { dependencies, observed, signal } = context;
  const seen = seenOf(context, action.container);
  const problem = await changeLimits(context, action).catch((error: unknown) => messageOf(error));
  if (signal.aborted) return {};
  if (problem === undefined) {
    const done = { actuated: seen.allocated, resizeAt: undefined };
    return finished(context, withContainer(context, action.container, done));
  }
  const before = observed.resize?.progress;
  const generation = before?.generation ?? context.desired.metadata?.generation;
  if (before?.message !== problem) {
    const words = `Pod resize error: ${summaryOf(context.pod, { generation, error: problem })}`;
    tell(context, { type: 'Warning', reason: 'ResizeError', message: words });
  }
  return {
    ...withContainer(context, action.container, { resizeAt: dependencies.clock.now() + RETRY_AFTER }),
    resize: { ...observed.resize, progress: { generation, reason: 'Error', message: problem } },
  };
}

/** Answers why not. Source of the words: kubelet `kuberuntime_manager.go` validateMemoryResizeAction. */
async function changeLimits(
  context: EffectContext,
  action: Extract<Action, { do: 'resize' }>,
): Promise<string | undefined> {
  const { runtime } = context.dependencies;
  const { container, attempt } = action;
  const id = idOf(context, container, attempt);
  const limits = limitsOf(containerOf(context, action));
  if (await runtime.resize(id, limits)) return undefined;
  const used = (await runtime.stats(id))?.memoryBytes ?? 0;
  if (limits.memoryBytes !== undefined && used >= limits.memoryBytes) {
    return `cannot decrease memory limits: attempting to set container "${container}" memory limit (${limits.memoryBytes}) below current usage (${used})`;
  }
  return `cannot change the memory limit of container "${container}" while it runs: its module is not rewritten (see docs/decisions/0011-engine.md); resizePolicy RestartContainer for memory does it by a restart`;
}

/** With the end of the change, where this is it. */
export function finished(context: EffectContext, change: Change): Change {
  const observed = { ...context.observed, ...change };
  const progress = observed.resize?.progress;
  if (progress === undefined || isResizing(context.desired, observed)) return change;
  const pod = allocatedPod(context.desired, observed);
  const message = `Pod resize completed: ${summaryOf(pod, progress)}`;
  tell(context, { type: 'Normal', reason: 'ResizeCompleted', message });
  return { ...change, resize: { ...observed.resize, progress: undefined } };
}

/** Source: kubelet `events/resize.go`. */
function summaryOf({ spec }: Pod, { generation, error }: { generation: number | undefined; error?: string }): string {
  const of = ({ name, resources = {} }: Container) => ({ name, resources });
  const initContainers = (spec?.initContainers ?? []).map(of);
  return JSON.stringify({
    ...(initContainers.length === 0 ? {} : { initContainers }),
    containers: (spec?.containers ?? []).map(of),
    generation: generation ?? 0,
    ...(error === undefined ? {} : { error }),
  });
}
