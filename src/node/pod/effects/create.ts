/** A container's next try is made ready: environment, mounts, sockets, then the runtime's `create`. Nothing runs yet. */
import { messageOf, WasmletError } from '#kit';
import { Tree } from '#kit/os';
import { outcomeOf } from '#kube';
import type { WorkloadImage } from '#oci';
import { grantRefusal, type Verdict } from '#runtime';
import { rotatedOf } from '../../log/file.ts';
import type { ExitedInstance } from '../decide/observed.ts';
import type { Action } from '../decide/plan.ts';
import { podError } from '../errors.ts';
import { type Change, containerOf, type EffectContext, seenOf, tell, withContainer } from './context.ts';
import { portsOf } from './ports.ts';
import { finished } from './resize.ts';
import { capabilitiesOf, workloadOf } from './workload.ts';

type Create = Extract<Action, { do: 'create' }>;

const RETRY_AFTER = 10_000;
/** A module that the runtime refuses stays refused until its image changes. */
const RETRY_REFUSED = 300_000;

export async function create(context: EffectContext, action: Create): Promise<Change> {
  const { images, dependencies } = context;
  const { container: name, attempt } = action;
  const image = images.get(name);
  if (image === undefined) return withContainer(context, name, { pulled: false });
  try {
    const refusal = await refusalOf(context, image);
    if (refusal !== undefined) {
      const error = podError('POD_MODULE_REFUSED', refusal.message);
      return failed(context, action, error, { reason: outcomeOf(refusal.code).reason });
    }
    const { listeners, change } = portsOf(context, name);
    if (listeners === undefined) return { ...change, ...failed(context, action, portsError(change)) };
    const spec = await workloadOf(context, { action, image, listeners });
    await dependencies.runtime.create(spec, { signal: context.signal });
    tell(context, { type: 'Normal', reason: 'Created', message: 'Container created', at: action });
    await forgetOld(context, { container: name, attempt });
    return { ...change, ...finished(context, made(context, action, image)) };
  } catch (error) {
    if (context.signal.aborted) return {};
    return failed(context, action, error);
  }
}

function made(context: EffectContext, { kind, container, attempt, backoff }: Create, image: WorkloadImage): Change {
  const seen = seenOf(context, container);
  const { resources = {} } = containerOf(context, { kind, container });
  const last: ExitedInstance | undefined = seen.instance?.state === 'exited' ? seen.instance : seen.last;
  return withContainer(context, container, {
    instance: { state: 'created', attempt },
    last,
    image: { reference: image.reference, id: image.id },
    backoff: backoff ?? seen.backoff,
    pulled: false,
    waiting: undefined,
    termAt: undefined,
    killAt: undefined,
    allocated: resources,
    actuated: resources,
    resizeAt: undefined,
  });
}

async function refusalOf(
  { dependencies, signal, pod }: EffectContext,
  { moduleDigest, modulePath }: WorkloadImage,
): Promise<Verdict['refusal']> {
  const verdict = await dependencies.runtime.admit({ digest: moduleDigest, path: modulePath }, { signal });
  return verdict.refusal ?? grantRefusal(verdict, capabilitiesOf(pod));
}

function portsError({ ports }: Change) {
  return podError('POD_PORTS_NOT_BOUND', ports?.message ?? 'a declared port cannot be bound');
}

/** Source of the reasons: kubelet `kuberuntime_container.go` startContainer; the table is `kube/reasons.ts`. */
export function failed(
  context: EffectContext,
  at: Pick<Create, 'kind' | 'container'>,
  error: unknown,
  { reason, otherwise = 'CreateContainerError' }: { reason?: string | undefined; otherwise?: string } = {},
): Change {
  const message = messageOf(error);
  tell(context, { type: 'Warning', reason: 'Failed', message: `Error: ${message}`, at });
  const code = error instanceof WasmletError ? error.code : '';
  const until = context.dependencies.clock.now() + (code === 'POD_MODULE_REFUSED' ? RETRY_REFUSED : RETRY_AFTER);
  const waiting = { reason: reason ?? outcomeOf(code).reason ?? otherwise, message, until };
  return withContainer(context, at.container, { waiting, pulled: false });
}

/** One earlier log is kept, for `logs --previous`. What the runtime knows of that try goes when its exit stands on disk: see `start`. */
async function forgetOld(
  context: EffectContext,
  { container, attempt }: { container: string; attempt: number },
): Promise<void> {
  if (attempt < 2) return;
  const log = context.places.log(container, attempt - 2);
  const { tenant } = context.places;
  const tree = new Tree(tenant);
  for (const path of [log, ...rotatedOf(tenant, log)]) await tree.remove(path);
}
