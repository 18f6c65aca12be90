/**
 * Krustlet's own flags, variables and configuration file, so that a service file written for `krustlet-wasi` starts this
 * node unchanged. Pure: who calls reads the files. Source: Krustlet 1.0 alpha, `crates/kubelet/src/config.rs`.
 * What each means here stands in docs/krustlet.md.
 */
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { NodeOptions } from '../contract.ts';
import { nodeError } from '../errors.ts';
import { FLAGS, type Key, SHORT } from './krustlet-flags.ts';

export interface KrustletInput {
  /** The command line behind the command's name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Text of `~/.krustlet/config/config.json`; undefined when there is none. */
  readonly config?: string | undefined;
  readonly home: string;
  readonly hostname: string;
  readonly exists: (path: string) => boolean;
}

export type KrustletOptions = Pick<
  NodeOptions,
  | 'name'
  | 'dataDir'
  | 'access'
  | 'mode'
  | 'profile'
  | 'arch'
  | 'labels'
  | 'address'
  | 'listenAddress'
  | 'hostname'
  | 'port'
  | 'tls'
  | 'maxPods'
  | 'insecureRegistries'
>;

export interface KrustletResult {
  readonly options: KrustletOptions;
  /** What was asked for and is not done, a sentence each. */
  readonly warnings: readonly string[];
}

export function krustletConfigPath(home: string): string {
  return join(home, '.krustlet', 'config', 'config.json');
}

export function krustletOptions(input: KrustletInput): KrustletResult {
  const { env, home, hostname, exists } = input;
  // The command line wins over variables, variables over the file.
  const values: Values = { ...fromConfig(input.config), ...fromEnv(env), ...fromArgs(input.args) };
  const host = values.hostname ?? hostname;
  const dataDir = values.dataDir ?? join(home, '.krustlet');
  const listen = addressOf(values, 'listenerAddress');
  const nodeIP = addressOf(values, 'nodeIP');
  const isWildcard = listen === undefined || listen === '0.0.0.0' || listen === '::';
  const certFile = values.tlsCertificateFile ?? join(dataDir, 'config', 'krustlet.crt');
  const keyFile = values.tlsPrivateKeyFile ?? join(dataDir, 'config', 'krustlet.key');
  const kubeconfig = env['KUBECONFIG'];
  const options: KrustletOptions = {
    name: values.nodeName ?? host.toLowerCase(),
    hostname: host,
    dataDir,
    mode: 'joined',
    profile: 'krustlet',
    arch: 'wasm32-wasi',
    access:
      kubeconfig !== undefined && kubeconfig !== '' && exists(kubeconfig)
        ? { kubeconfig }
        : { bootstrapKubeconfig: values.bootstrapFile ?? '/etc/kubernetes/bootstrap-kubelet.conf' },
    labels: labelsOf(values.nodeLabels),
    address: nodeIP ?? (isWildcard ? undefined : listen),
    listenAddress: isWildcard ? undefined : listen,
    port: numberOf(values, 'listenerPort', 65535) ?? 3000,
    maxPods: numberOf(values, 'maxPods', 65535) ?? 110,
    // Krustlet wrote its certificate there itself; one that is there was given, else the cluster is asked.
    tls: exists(certFile) && exists(keyFile) ? { certFile, keyFile } : undefined,
    insecureRegistries: (values.insecureRegistries ?? '').split(',').filter((name) => name !== ''),
  };
  return { options, warnings: warningsOf(values) };
}

type Values = Partial<Record<Key, string>>;

function fromArgs(args: readonly string[]): Values {
  const values: Values = {};
  for (let at = 0; at < args.length; at++) {
    const [word = '', ...rest] = (args[at] ?? '').split('=');
    const name = word.startsWith('--') ? word.slice(2) : SHORT[word];
    const key = FLAGS.find(({ flag }) => flag === name)?.key;
    if (key === undefined) throw invalid(`'${word}' is not a flag of krustlet-wasi`);
    const value = rest.length > 0 ? rest.join('=') : args[++at];
    if (value === undefined) throw invalid(`${word} needs a value`);
    values[key] = key === 'nodeLabels' && values[key] !== undefined ? `${values[key]},${value}` : value;
  }
  return values;
}

function fromEnv(env: KrustletInput['env']): Values {
  const found = FLAGS.map(({ key, variable }) => [key, env[variable]] as const);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined && value !== ''));
}

function fromConfig(text: string | undefined): Values {
  if (text === undefined) return {};
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch (cause) {
    throw nodeError('NODE_OPTION_INVALID', "Cannot read Krustlet's configuration file: not JSON", { cause });
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw invalid("Krustlet's configuration file is not an object");
  }
  const known = new Set<string>(FLAGS.map(({ key }) => key));
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([key]) => known.has(key))
      .map(([key, value]) => [key, textOf(key, value)]),
  );
}

/** Labels are an object in the file, registries a list; everything else one value. */
function textOf(key: string, value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(',');
  if (key === 'nodeLabels' && typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .map(([name, label]) => `${name}=${label}`)
      .join(',');
  }
  throw invalid(`${key} in Krustlet's configuration file has no value that can be used`);
}

function labelsOf(text: string | undefined): Record<string, string> {
  const pairs = (text ?? '').split(',').map((part): [string, string] => {
    const at = part.indexOf('=');
    return at === -1 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)];
  });
  return Object.fromEntries(pairs.filter(([name]) => name !== ''));
}

function addressOf(values: Values, key: Key): string | undefined {
  const value = values[key];
  if (value === undefined || isIP(value) !== 0) return value;
  throw invalid(`${key} '${value}' is not an IP address`);
}

function numberOf(values: Values, key: Key, most: number): number | undefined {
  const value = values[key];
  if (value === undefined) return undefined;
  if (/^\d{1,5}$/.test(value) && Number(value) <= most) return Number(value);
  throw invalid(`${key} '${value}' is not a number from 0 to ${most}`);
}

function warningsOf(values: Values): string[] {
  return [
    ...(values.allowLocalModules === 'true'
      ? ['Modules from local paths are not supported: push them to a registry']
      : []),
    ...(values.pluginsDir === undefined ? [] : ['Storage plugins are not supported: --plugins-dir is not used']),
    ...(values.devicePluginsDir === undefined
      ? []
      : ['Device plugins are not supported: --device-plugins-dir is not used']),
  ];
}

function invalid(state: string): Error {
  return nodeError('NODE_OPTION_INVALID', `Cannot start as krustlet-wasi: ${state}`, {
    hint: 'docs/krustlet.md lists the flags, variables and configuration keys',
  });
}
