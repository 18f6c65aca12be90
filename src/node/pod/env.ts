/**
 * A container's environment, command and arguments: pure functions of the pod and of the objects that it names.
 * Source: kubelet `kubelet_pods.go` makeEnvironmentVariables; its words in the errors.
 */
import type { ConfigMap, Container, EnvFromSource, EnvVarSource, Pod, Secret } from '#kube/types';
import type { WorkloadImage } from '#oci';
import type { NodeFacts } from '../volume/contract.ts';
import { podError } from './errors.ts';
import { expand } from './expand.ts';
import { fieldValue, resourceValue } from './fields.ts';

/** Objects by name; undefined: the API server has none of that name. */
export interface NamedObjects {
  readonly configMaps: ReadonlyMap<string, ConfigMap | undefined>;
  readonly secrets: ReadonlyMap<string, Secret | undefined>;
}

export interface EnvironmentInput extends NamedObjects {
  readonly pod: Pod;
  readonly container: Container;
  readonly facts: NodeFacts;
  readonly services: ReadonlyMap<string, string>;
  readonly image: Pick<WorkloadImage, 'env'>;
}

/** Which ConfigMaps and Secrets an environment needs. */
export function referencesOf({ env = [], envFrom = [] }: Container): { configMaps: Set<string>; secrets: Set<string> } {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  for (const { configMapRef, secretRef } of envFrom) {
    if (configMapRef !== undefined) configMaps.add(configMapRef.name ?? '');
    if (secretRef !== undefined) secrets.add(secretRef.name ?? '');
  }
  for (const { valueFrom } of env) {
    if (valueFrom?.configMapKeyRef !== undefined) configMaps.add(valueFrom.configMapKeyRef.name ?? '');
    if (valueFrom?.secretKeyRef !== undefined) secrets.add(valueFrom.secretKeyRef.name ?? '');
  }
  return { configMaps, secrets };
}

/** The image's variables, the pod's over them, then Services where nothing has the name. */
export function environmentOf(input: EnvironmentInput): Map<string, string> {
  const own = ownVariables(input);
  const all = new Map<string, string>(input.image.env);
  const hostname = input.pod.spec?.hostname ?? input.pod.metadata?.name ?? '';
  all.set('HOSTNAME', hostname.slice(0, 63));
  for (const [name, value] of own) all.set(name, value);
  for (const [name, value] of input.services) if (!own.has(name)) all.set(name, value);
  return all;
}

function ownVariables(input: EnvironmentInput): Map<string, string> {
  const found = new Map<string, string>();
  for (const source of input.container.envFrom ?? []) addAll(found, source, input);
  const lookUp = (name: string) => found.get(name) ?? input.services.get(name);
  for (const { name, value = '', valueFrom } of input.container.env ?? []) {
    const result = value === '' && valueFrom !== undefined ? referenced(valueFrom, input) : expand(value, lookUp);
    if (result !== undefined) found.set(name, result);
  }
  return found;
}

function addAll(found: Map<string, string>, source: EnvFromSource, { configMaps, secrets }: EnvironmentInput): void {
  const { configMapRef, secretRef, prefix = '' } = source;
  if (configMapRef !== undefined) {
    const object = existing(configMaps, configMapRef, 'configmap');
    for (const [key, value] of Object.entries(object?.data ?? {})) found.set(prefix + key, value);
  } else if (secretRef !== undefined) {
    const object = existing(secrets, secretRef, 'secret');
    for (const [key, value] of Object.entries(object?.data ?? {})) found.set(prefix + key, fromBase64(value));
  }
}

/** undefined: optional and not there, the variable is left out. */
function referenced(
  from: EnvVarSource,
  { pod, container, facts, configMaps, secrets }: EnvironmentInput,
): string | undefined {
  const namespace = pod.metadata?.namespace ?? '';
  if (from.fieldRef !== undefined) return fieldValue(pod, from.fieldRef.fieldPath, facts);
  if (from.resourceFieldRef !== undefined) {
    return resourceValue(pod, from.resourceFieldRef, { container, allocatable: facts.allocatable });
  }
  if (from.configMapKeyRef !== undefined) {
    const { key, name = '', optional } = from.configMapKeyRef;
    const value = existing(configMaps, from.configMapKeyRef, 'configmap')?.data?.[key];
    if (value !== undefined || optional === true) return value;
    throw podError('POD_CONFIG_INVALID', `couldn't find key ${key} in ConfigMap ${namespace}/${name}`);
  }
  if (from.secretKeyRef !== undefined) {
    const { key, name = '', optional } = from.secretKeyRef;
    const value = existing(secrets, from.secretKeyRef, 'secret')?.data?.[key];
    if (value !== undefined) return fromBase64(value);
    if (optional === true) return undefined;
    throw podError('POD_CONFIG_INVALID', `couldn't find key ${key} in Secret ${namespace}/${name}`);
  }
  throw podError('POD_CONFIG_INVALID', 'an environment variable is taken from a source that this node does not know', {
    hint: 'It knows fieldRef, resourceFieldRef, configMapKeyRef and secretKeyRef',
  });
}

function existing<T>(
  objects: ReadonlyMap<string, T | undefined>,
  { name = '', optional }: { name?: string; optional?: boolean },
  kind: 'configmap' | 'secret',
): T | undefined {
  const object = objects.get(name);
  if (object !== undefined || optional === true) return object;
  throw podError('POD_CONFIG_INVALID', `${kind} "${name}" not found`);
}

function fromBase64(text: string): string {
  return Buffer.from(text, 'base64').toString('utf8');
}

export interface Invocation {
  readonly args: readonly string[];
  readonly entrypoint: string;
  readonly workingDir: string;
}

/**
 * argv of the guest: `command` replaces the image's entrypoint and its cmd, `args` replaces cmd. Where neither gives a
 * program's name it is the image's. `path#function` as the first word names an exported function, as runwasi has it.
 */
export function invocationOf(
  container: Container,
  { image, env }: { image: WorkloadImage; env: ReadonlyMap<string, string> },
): Invocation {
  const lookUp = (name: string) => env.get(name);
  const command = (container.command ?? []).map((word) => expand(word, lookUp));
  const args = (container.args ?? []).map((word) => expand(word, lookUp));
  const program = command.length > 0 ? command : image.entrypoint;
  const rest = args.length > 0 || command.length > 0 ? args : image.cmd;
  const words = program.length > 0 ? [...program, ...rest] : [image.programName, ...rest];
  const [first = image.programName] = words;
  const hash = first.lastIndexOf('#');
  const named = hash > 0 && hash < first.length - 1;
  return {
    args: named ? [first.slice(0, hash), ...words.slice(1)] : words,
    entrypoint: named ? first.slice(hash + 1) : '_start',
    workingDir: container.workingDir || image.workingDir || '/',
  };
}
