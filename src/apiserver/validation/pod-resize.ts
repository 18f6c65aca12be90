/** What may change through a pod's `resize`. Source: `pkg/apis/core/validation/validation.go` ValidatePodResize, `registry/core/pod/strategy.go`. */
import { isDeepStrictEqual } from 'node:util';
import type { Container, Pod, PodSpec, ResourceRequirements } from '#kube/types';
import { qosClassOf } from '../strategy/pods.ts';
import type { FieldErrors } from './field-errors.ts';
import { validatePod } from './pod.ts';

const KINDS = ['containers', 'initContainers'] as const;
const MUTABLE = new Set(['cpu', 'memory']);

export function validatePodResize(errors: FieldErrors, pod: Pod, old: Pod): void {
  const spec = pod.spec ?? ({} as PodSpec);
  const before = old.spec ?? ({} as PodSpec);
  validatePod(errors, pod);
  const quality = old.status?.qosClass ?? qosClassOf(before);
  if (quality !== qosClassOf(spec))
    errors.invalid('spec', quality, 'Pod QOS Class may not change as a result of resizing');
  const running = (old.status?.containerStatuses ?? []).find(({ state }) => state?.running !== undefined);
  if (running !== undefined && running.resources === undefined)
    errors.forbidden('spec', 'Pod running on node without support for resize');
  if (!isInOrder(errors, spec, before)) return;
  for (const kind of KINDS) {
    for (const [index, container] of (spec[kind] ?? []).entries()) {
      const was = before[kind]?.[index];
      if (was !== undefined) validateContainer(errors, container, { was, kind, field: `spec.${kind}[${index}]` });
    }
  }
}

function isInOrder(errors: FieldErrors, spec: PodSpec, before: PodSpec): boolean {
  let inOrder = true;
  for (const kind of KINDS) {
    const [now, was] = [spec[kind] ?? [], before[kind] ?? []];
    if (now.length !== was.length) {
      errors.forbidden(`spec.${kind}`, `${kind} may not be added or removed on resize`);
      inOrder = false;
      continue;
    }
    for (const [index, { name }] of was.entries()) {
      if (now[index]?.name === name) continue;
      errors.forbidden(`spec.${kind}[${index}].name`, `${kind} may not be renamed or reordered on resize`);
      inOrder = false;
    }
  }
  return inOrder;
}

function validateContainer(
  errors: FieldErrors,
  container: Container,
  { was, kind, field }: { readonly was: Container; readonly kind: (typeof KINDS)[number]; readonly field: string },
): void {
  const isSidecar = kind === 'initContainers' && was.restartPolicy === 'Always';
  if (kind === 'initContainers' && !isSidecar) {
    if (!isSame(container, was)) errors.forbidden('spec', 'resources for non-sidecar init containers are immutable');
    return;
  }
  const [now = {}, old = {}] = [container.resources, was.resources];
  for (const list of ['requests', 'limits'] as const) {
    if (Object.keys(old[list] ?? {}).every((name) => now[list]?.[name] !== undefined)) continue;
    errors.forbidden(`${field}.resources.${list}`, `resource ${list} cannot be removed`);
  }
  if (isSame({ ...container, resources: withMutable(now, old) }, { ...was, resources: withMutable(old, old) })) return;
  const words = isSidecar ? 'resources for sidecar containers' : 'resources';
  errors.forbidden('spec', `only cpu and memory ${words} are mutable`);
}

/** With what may change as it was. */
function withMutable(now: ResourceRequirements, old: ResourceRequirements): ResourceRequirements {
  const list = (name: 'limits' | 'requests') => {
    const kept = Object.entries(now[name] ?? {}).filter(([key]) => !MUTABLE.has(key));
    return Object.fromEntries([...kept, ...Object.entries(old[name] ?? {}).filter(([key]) => MUTABLE.has(key))]);
  };
  return { limits: list('limits'), requests: list('requests') };
}

function isSame(a: Container, b: Container): boolean {
  return isDeepStrictEqual(JSON.parse(JSON.stringify(a)), JSON.parse(JSON.stringify(b)));
}
