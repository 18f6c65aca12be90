/**
 * The kubeconfig file: reading, choosing a context, writing. Source: client-go `tools/clientcmd/api/v1/types.go`.
 * What would run programs or change who one is (exec, auth-provider, impersonation) is refused by name.
 */
import { dirname, resolve } from 'node:path';
import { kubeError } from '../errors.ts';

export interface ClusterEntry {
  readonly server: string;
  /** PEM or a path to it. */
  readonly authority?: Material | undefined;
  readonly serverName?: string | undefined;
  readonly insecureSkipVerify?: boolean | undefined;
}

export interface UserEntry {
  readonly certificate?: Material | undefined;
  readonly key?: Material | undefined;
  readonly token?: string | undefined;
  readonly tokenFile?: string | undefined;
}

/** Bytes that stand in the file, or the absolute path of a file that has them. */
export type Material = { readonly data: string } | { readonly file: string };

export interface Access {
  readonly cluster: ClusterEntry;
  readonly user: UserEntry;
  readonly context: string;
  /** The context's namespace, `default` where it names none. */
  readonly namespace: string;
}

type Fields = Readonly<Record<string, unknown>>;

export interface Kubeconfig {
  readonly path: string;
  readonly fields: Fields;
}

/** Reads YAML or JSON. `path` is for messages and for relative file names. */
export async function parseKubeconfig(text: string, path: string): Promise<Kubeconfig> {
  const fields = await parseText(text, path);
  if (!isFields(fields)) throw invalid(path, 'not a mapping');
  if (fields['kind'] !== undefined && fields['kind'] !== 'Config') throw invalid(path, `kind is not 'Config'`);
  return { path, fields };
}

async function parseText(text: string, path: string): Promise<unknown> {
  try {
    return JSON.parse(text);
  } catch {
    // YAML is loaded only for files that are not JSON.
  }
  const { parse } = await import('#kit/yaml');
  try {
    return parse(text, { maxAliasCount: 0 });
  } catch (cause) {
    throw kubeError('KUBE_CONFIG_INVALID', `Cannot read the kubeconfig '${path}': not YAML`, { cause });
  }
}

/** The cluster and user of a context; of the current one where none is named. */
export function accessOf(config: Kubeconfig, contextName?: string): Access {
  const { path, fields } = config;
  const context = contextName ?? textOf(fields['current-context']);
  if (context === undefined || context === '') {
    throw invalid(path, 'it has no current-context', 'Set one with: kubectl config use-context NAME');
  }
  const chosen = entryOf(config, { list: 'contexts', name: context, field: 'context' });
  const clusterName = textOf(chosen['cluster']) ?? '';
  const cluster = entryOf(config, { list: 'clusters', name: clusterName, field: 'cluster' });
  const userName = textOf(chosen['user']) ?? '';
  const user = userName === '' ? {} : entryOf(config, { list: 'users', name: userName, field: 'user' });
  return {
    context,
    namespace: textOf(chosen['namespace']) || 'default',
    cluster: clusterOf(cluster, config),
    user: userOf(user, { config, name: userName }),
  };
}

function entryOf(
  { path, fields }: Kubeconfig,
  { list, name, field }: { list: string; name: string; field: string },
): Fields {
  const entries = fields[list];
  const found = Array.isArray(entries) ? entries.find((entry) => isFields(entry) && entry['name'] === name) : undefined;
  if (found === undefined) throw invalid(path, `${list} has no '${name}'`);
  const value: unknown = found[field];
  if (!isFields(value)) throw invalid(path, `${field} of '${name}' is not a mapping`);
  return value;
}

function clusterOf(fields: Fields, config: Kubeconfig): ClusterEntry {
  const server = textOf(fields['server']);
  if (server === undefined || !URL.canParse(server)) throw invalid(config.path, 'the cluster has no server URL');
  if (textOf(fields['proxy-url']))
    throw invalid(config.path, 'proxy-url is not supported', 'Remove it, or reach the server directly');
  return {
    server,
    authority: materialOf(fields, { name: 'certificate-authority', config }),
    serverName: textOf(fields['tls-server-name']),
    insecureSkipVerify: fields['insecure-skip-tls-verify'] === true,
  };
}

/** What a program or another identity would be needed for. */
const REFUSED = ['exec', 'auth-provider', 'username', 'password', 'as', 'as-uid', 'as-groups', 'as-user-extra'];

function userOf(fields: Fields, { config, name }: { config: Kubeconfig; name: string }): UserEntry {
  for (const field of REFUSED) {
    if (fields[field] === undefined || fields[field] === null) continue;
    throw invalid(
      config.path,
      `user '${name}' uses '${field}', which is not supported`,
      'Use a client certificate, a token or a tokenFile',
    );
  }
  const certificate = materialOf(fields, { name: 'client-certificate', config });
  const key = materialOf(fields, { name: 'client-key', config });
  if ((certificate === undefined) !== (key === undefined)) {
    throw invalid(
      config.path,
      `user '${name}' has a client certificate without its key, or a key without its certificate`,
    );
  }
  const tokenFile = textOf(fields['tokenFile']);
  return {
    certificate,
    key,
    token: textOf(fields['token']),
    tokenFile: tokenFile === undefined || tokenFile === '' ? undefined : resolve(dirname(config.path), tokenFile),
  };
}

/** `<name>-data` in base64 wins over the file `<name>`, as in client-go. */
function materialOf(fields: Fields, { name, config }: { name: string; config: Kubeconfig }): Material | undefined {
  const data = textOf(fields[`${name}-data`]);
  if (data !== undefined && data !== '') {
    const text = Buffer.from(data, 'base64').toString('utf8');
    if (!text.includes('-----BEGIN ')) throw invalid(config.path, `${name}-data is not PEM in base64`);
    return { data: text };
  }
  const file = textOf(fields[name]);
  return file === undefined || file === '' ? undefined : { file: resolve(dirname(config.path), file) };
}

/** A kubeconfig with one cluster, user and context, as YAML. */
export function formatKubeconfig(access: Omit<Access, 'namespace'> & { namespace?: string | undefined }): string {
  const { cluster, user, context, namespace } = access;
  const lines = [
    'apiVersion: v1',
    'kind: Config',
    'clusters:',
    `- name: ${quote(context)}`,
    '  cluster:',
    `    server: ${quote(cluster.server)}`,
    ...materialLines('certificate-authority', cluster.authority),
    ...(cluster.serverName === undefined ? [] : [`    tls-server-name: ${quote(cluster.serverName)}`]),
    ...(cluster.insecureSkipVerify === true ? ['    insecure-skip-tls-verify: true'] : []),
    'users:',
    `- name: ${quote(context)}`,
    ...(Object.values(user).some((value) => value !== undefined) ? ['  user:'] : ['  user: {}']),
    ...materialLines('client-certificate', user.certificate),
    ...materialLines('client-key', user.key),
    ...(user.token === undefined ? [] : [`    token: ${quote(user.token)}`]),
    ...(user.tokenFile === undefined ? [] : [`    tokenFile: ${quote(user.tokenFile)}`]),
    'contexts:',
    `- name: ${quote(context)}`,
    '  context:',
    `    cluster: ${quote(context)}`,
    `    user: ${quote(context)}`,
    ...(namespace === undefined ? [] : [`    namespace: ${quote(namespace)}`]),
    `current-context: ${quote(context)}`,
  ];
  return `${lines.join('\n')}\n`;
}

function materialLines(name: string, material: Material | undefined): string[] {
  if (material === undefined) return [];
  if ('file' in material) return [`    ${name}: ${quote(material.file)}`];
  return [`    ${name}-data: ${Buffer.from(material.data).toString('base64')}`];
}

/** JSON strings are YAML strings; plain words stay plain for the eye. */
function quote(text: string): string {
  return /^[A-Za-z/][\w./:@-]*$/.test(text) &&
    !/^(true|false|null|yes|no|on|off|y|n)$/i.test(text) &&
    !text.endsWith(':')
    ? text
    : JSON.stringify(text);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(path: string, state: string, hint?: string): Error {
  return kubeError(
    'KUBE_CONFIG_INVALID',
    `Cannot use the kubeconfig '${path}': ${state}`,
    hint === undefined ? {} : { hint },
  );
}
