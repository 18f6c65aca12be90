/** Krustlet's options: the flag, its variable, its key in the configuration file. docs/krustlet.md is held against this table. */

export type Key =
  | 'listenerAddress'
  | 'listenerPort'
  | 'maxPods'
  | 'tlsCertificateFile'
  | 'tlsPrivateKeyFile'
  | 'nodeIP'
  | 'nodeLabels'
  | 'hostname'
  | 'nodeName'
  | 'dataDir'
  | 'bootstrapFile'
  | 'pluginsDir'
  | 'devicePluginsDir'
  | 'allowLocalModules'
  | 'insecureRegistries';

export interface KrustletFlag {
  readonly flag: string;
  readonly variable: string;
  readonly key: Key;
}

export const FLAGS: readonly KrustletFlag[] = [
  { flag: 'addr', variable: 'KRUSTLET_ADDRESS', key: 'listenerAddress' },
  { flag: 'port', variable: 'KRUSTLET_PORT', key: 'listenerPort' },
  { flag: 'max-pods', variable: 'MAX_PODS', key: 'maxPods' },
  { flag: 'cert-file', variable: 'KRUSTLET_CERT_FILE', key: 'tlsCertificateFile' },
  { flag: 'private-key-file', variable: 'KRUSTLET_PRIVATE_KEY_FILE', key: 'tlsPrivateKeyFile' },
  { flag: 'node-ip', variable: 'KRUSTLET_NODE_IP', key: 'nodeIP' },
  { flag: 'node-labels', variable: 'NODE_LABELS', key: 'nodeLabels' },
  { flag: 'hostname', variable: 'KRUSTLET_HOSTNAME', key: 'hostname' },
  { flag: 'node-name', variable: 'KRUSTLET_NODE_NAME', key: 'nodeName' },
  { flag: 'data-dir', variable: 'KRUSTLET_DATA_DIR', key: 'dataDir' },
  { flag: 'bootstrap-file', variable: 'KRUSTLET_BOOTSTRAP_FILE', key: 'bootstrapFile' },
  { flag: 'plugins-dir', variable: 'KRUSTLET_PLUGINS_DIR', key: 'pluginsDir' },
  { flag: 'device-plugins-dir', variable: 'KRUSTLET_DEVICE_PLUGINS_DIR', key: 'devicePluginsDir' },
  { flag: 'x-allow-local-modules', variable: 'KRUSTLET_ALLOW_LOCAL_MODULES', key: 'allowLocalModules' },
  { flag: 'insecure-registries', variable: 'KRUSTLET_INSECURE_REGISTRIES', key: 'insecureRegistries' },
];

export const SHORT: Readonly<Record<string, string>> = { '-a': 'addr', '-p': 'port', '-n': 'node-ip' };

/** The same by the flag's name. */
export const KRUSTLET_FLAGS: Readonly<Record<string, KrustletFlag>> = Object.fromEntries(
  FLAGS.map((entry) => [entry.flag, entry]),
);
