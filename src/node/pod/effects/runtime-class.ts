/** RuntimeClasses: which process a pod's guests live in. Source of the words: kubelet `pkg/kubelet/runtimeclass`. */
import type { Pod } from '#kube/types';
import type { PodManagerDependencies } from '../dependencies.ts';
import { podError } from '../errors.ts';

/** Handlers of docs/names.md. */
const ISOLATION: Readonly<Record<string, 'tenant' | 'pod'>> = {
  '': 'tenant',
  wasmlet: 'tenant',
  'wasmlet-batch': 'tenant',
  'wasmlet-isolated': 'pod',
};

export type Handler = keyof typeof ISOLATION;

export async function handlerOf(
  { spec }: Pod,
  { runtimeHandler }: Pick<PodManagerDependencies, 'runtimeHandler'>,
): Promise<string> {
  const name = spec?.runtimeClassName ?? '';
  if (name === '') return '';
  const handler = runtimeHandler === undefined && Object.hasOwn(ISOLATION, name) ? name : await runtimeHandler?.(name);
  if (handler === undefined)
    throw podError('POD_RUNTIME_CLASS_UNKNOWN', `failed to get sandbox runtime: RuntimeClass "${name}" not found`);
  if (Object.hasOwn(ISOLATION, handler)) return handler;
  throw podError(
    'POD_RUNTIME_CLASS_UNKNOWN',
    `failed to get sandbox runtime: no runtime for "${handler}" is configured`,
    {
      hint: `This node has ${Object.keys(ISOLATION).filter(Boolean).join(', ')}`,
    },
  );
}

export function isolationOf(handler: string): 'tenant' | 'pod' {
  return ISOLATION[handler] ?? 'tenant';
}
