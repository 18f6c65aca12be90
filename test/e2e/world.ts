/**
 * What an end-to-end case sees: a node, an API server, kubectl as a person would use it, and a registry. The same cases run
 * in two worlds: standalone (`wasmlet up` with its embedded API) and cluster (`wasmlet join` to a real control plane).
 */
import { setTimeout } from 'node:timers/promises';
import type { Pod } from '#kube/types';
import type { CommandOptions, CommandResult } from '../processes/command.ts';
import type { StartOptions } from './node-process.ts';

export interface World extends AsyncDisposable {
  readonly kind: 'standalone' | 'cluster';
  readonly dataDir: string;
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** `HOST/NAME:TAG` of a pushed guest. */
  image(name: GuestName): string;
  /** `HOST` of the registry, for references that are wrong on purpose. */
  readonly registry: string;
  kubectl(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** The node process, to be killed and started again. */
  readonly node: NodeProcess;
}

export interface NodeProcess {
  readonly pid: number | undefined;
  /** It was started by `--detach`. */
  readonly detached: boolean;
  start(options?: StartOptions): Promise<void>;
  /** Sends a signal and waits until the process is gone. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** The last lines of its log. */
  tail(): string;
}

export type GuestName = 'scripted' | 'hello' | 'krustlet-hello' | 'posix' | 'threads';

/** A pod of scripted guests: each container runs the words of its script. */
export function podOf(
  world: World,
  name: string,
  containers: Readonly<Record<string, Script>>,
  more: Partial<Pod['spec']> = {},
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      restartPolicy: 'Never',
      tolerations: [
        { key: 'kubernetes.io/arch', operator: 'Equal', value: 'wasm32-wasi', effect: 'NoSchedule' },
        { key: 'kubernetes.io/arch', operator: 'Equal', value: 'wasm32-wasi', effect: 'NoExecute' },
      ],
      containers: Object.entries(containers).map(([container, script]) => ({
        name: container,
        image: world.image('scripted'),
        imagePullPolicy: 'IfNotPresent' as const,
        ...(Array.isArray(script) ? { args: [...script] } : (script as object)),
      })),
      ...more,
    },
  };
}

/** Arguments of the scripted guest, or fields of the container when arguments are not all. */
export type Script = readonly string[] | { readonly args: readonly string[]; readonly [field: string]: unknown };

export async function apply(world: World, ...objects: readonly object[]): Promise<void> {
  const input = objects.map((object) => JSON.stringify(object)).join('\n');
  await world.kubectl(['apply', '-f', '-'], { input });
}

export async function getPod(world: World, name: string): Promise<Pod> {
  const { stdout } = await world.kubectl(['get', 'pod', name, '-o', 'json']);
  return JSON.parse(stdout) as Pod;
}

/** Polls until the pod satisfies the predicate; fails with what the pod, its events and the node's log said last. */
export async function until(
  world: World,
  name: string,
  predicate: (pod: Pod) => boolean,
  { seconds = 40 } = {},
): Promise<Pod> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const { code, stdout, stderr } = await world.kubectl(['get', 'pod', name, '-o', 'json'], { accept: 'any' });
    const pod = code === 0 ? (JSON.parse(stdout) as Pod) : undefined;
    if (pod !== undefined && predicate(pod)) return pod;
    if (performance.now() > end) {
      const events = await world.kubectl(['get', 'events', '--field-selector', `involvedObject.name=${name}`], {
        accept: 'any',
      });
      throw new Error(
        `Cannot see pod '${name}' as wanted after ${seconds} s: ${pod === undefined ? stderr : JSON.stringify(pod.status, null, 1)}\n${events.stdout}\n${world.node.tail()}`,
      );
    }
    await setTimeout(200);
  }
}

/** Polls a condition that is not a pod's. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined>,
  { seconds = 30 } = {},
): Promise<T> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`Cannot see ${what} after ${seconds} s`);
    await setTimeout(200);
  }
}

export const phase = (wanted: string) => (pod: Pod) => pod.status?.phase === wanted;

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}

export function statusOf(pod: Pod, container: string) {
  const found = pod.status?.containerStatuses?.find(({ name }) => name === container);
  if (found === undefined) throw new Error(`Cannot find container '${container}' in the pod's status`);
  return found;
}

export async function logsOf(world: World, pod: string, ...args: string[]): Promise<string> {
  return (await world.kubectl(['logs', pod, ...args])).stdout;
}

export async function remove(world: World, ...names: string[]): Promise<void> {
  await world.kubectl(['delete', 'pod', ...names, '--ignore-not-found', '--wait=true', '--timeout=60s']);
}

export async function eventsOf(
  world: World,
  pod: string,
): Promise<{ reason: string; message: string; type: string; count: number }[]> {
  const { stdout } = await world.kubectl([
    'get',
    'events',
    '--field-selector',
    `involvedObject.name=${pod}`,
    '-o',
    'json',
  ]);
  const { items } = JSON.parse(stdout) as {
    items: { reason?: string; message?: string; type?: string; count?: number }[];
  };
  return items.map(({ reason = '', message = '', type = '', count = 1 }) => ({ reason, message, type, count }));
}

/** `steps('print a , exit 3')`: the words of a script for the scripted guest (guests/README.md). */
export function steps(script: string): readonly string[] {
  return script.split(' ');
}
