/** Which API server a command speaks to, and which resource a word or a manifest means there. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { ApiStatusError, connectByKubeconfig, type KubeClient, type Resource } from '#kube';
import type { KubeObject } from '#kube/types';
import type { Arguments, Context } from './command.ts';
import { dataDirOf } from './data-dir.ts';
import { cliError } from './errors.ts';

/** The kubeconfig that a command uses: the flag, this data directory's node, $KUBECONFIG, ~/.kube/config. */
export function kubeconfigPath(context: Pick<Context, 'env'>, args: Arguments): string {
  const given = args.value('kubeconfig');
  if (given !== undefined) return given;
  const own = join(dataDirOf(context, args), 'kubeconfig');
  const candidates = [own, ...(context.env['KUBECONFIG'] ?? '').split(delimiter), join(homedir(), '.kube', 'config')];
  const found = candidates.find((path) => path !== '' && existsSync(path));
  if (found === undefined) {
    throw cliError(
      'CLI_NO_NODE',
      `Cannot find an API server to ask: there is no node in '${dataDirOf(context, args)}'`,
      {
        hint: "Start one with 'wasmlet up --detach', or name a cluster with --kubeconfig FILE.",
      },
    );
  }
  return found;
}

export async function connectTo(context: Context, args: Arguments): Promise<KubeClient> {
  return connectByKubeconfig(kubeconfigPath(context, args));
}

/** The error of a raw answer that is no success: its status decides about the exit code, its own words say why. */
export function refusal(httpStatus: number, body: string, what: string): Error {
  let message = body.trim();
  try {
    message = (JSON.parse(body) as { message?: string }).message ?? message;
  } catch {
    // Not a Status: the text itself says it.
  }
  return new ApiStatusError(`Cannot ${what}: ${message}`, { status: { code: httpStatus, message }, httpStatus });
}

interface ApiResource {
  readonly name: string;
  readonly singularName?: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly shortNames?: readonly string[];
}

async function resourcesOf(
  client: KubeClient,
  group: string,
  version: string,
  signal: AbortSignal,
): Promise<Resource[]> {
  const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const answer = await client.raw(path, { signal });
  if (answer.status === 404) return [];
  if (answer.status !== 200) throw refusal(answer.status, await answer.text(), `read the kinds of '${path}'`);
  const { resources } = JSON.parse(await answer.text()) as { resources: ApiResource[] };
  return resources
    .filter(({ name }) => !name.includes('/'))
    .map(({ name, kind, namespaced, singularName, shortNames }) => ({
      group,
      version,
      plural: name,
      kind,
      namespaced,
      words: [name, singularName ?? kind.toLowerCase(), ...(shortNames ?? [])],
    }));
}

/** The resource that a manifest's apiVersion and kind name. */
export async function resourceOfManifest(
  client: KubeClient,
  object: KubeObject,
  signal: AbortSignal,
): Promise<Resource> {
  const [group, version] = groupVersion(object.apiVersion ?? '');
  const found = (await resourcesOf(client, group, version, signal)).find(({ kind }) => kind === object.kind);
  if (found !== undefined) return found;
  throw cliError(
    'CLI_NOT_FOUND',
    `Cannot find kind '${object.kind}' in '${object.apiVersion}': this API server has none`,
    {
      hint: 'docs/api.md lists what the embedded API serves.',
    },
  );
}

function groupVersion(apiVersion: string): [string, string] {
  const [first = '', second] = apiVersion.split('/');
  return second === undefined ? ['', first] : [first, second];
}

/** The resource that a person's word names: plural, singular, short name, in any group. */
export async function resourceOfWord(client: KubeClient, word: string, signal: AbortSignal): Promise<Resource> {
  const [name = '', ...groupParts] = word.toLowerCase().split('.');
  for (const [group, version] of await groupsOf(client, signal)) {
    if (groupParts.length > 0 && groupParts.join('.') !== group) continue;
    const resources = (await resourcesOf(client, group, version, signal)) as (Resource & { words: string[] })[];
    const found = resources.find(({ words }) => words.includes(name));
    if (found !== undefined) return found;
  }
  throw cliError('CLI_NOT_FOUND', `Cannot find the kind '${word}': this API server has none of that name`);
}

async function groupsOf(client: KubeClient, signal: AbortSignal): Promise<[group: string, version: string][]> {
  const answer = await client.raw('/apis', { signal, headers: { accept: 'application/json' } });
  const text = await answer.text();
  if (answer.status !== 200) throw refusal(answer.status, text, 'read the groups of the API server');
  const { groups = [] } = JSON.parse(text) as {
    groups?: { name: string; preferredVersion: { version: string } }[];
  };
  return [
    ['', 'v1'],
    ...groups.map(({ name, preferredVersion }): [string, string] => [name, preferredVersion.version]),
  ];
}

export function describeObject(resource: Resource, name: string): string {
  return resource.group === ''
    ? `${resource.kind.toLowerCase()}/${name}`
    : `${resource.kind.toLowerCase()}.${resource.group}/${name}`;
}
