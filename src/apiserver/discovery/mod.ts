/**
 * What the server serves, in the words of discovery: legacy documents group by group, and the aggregated one that kubectl
 * asks for first. All made from the table of kinds. Source: apiserver `pkg/endpoints/discovery`.
 */
import { createHash } from 'node:crypto';
import { apiVersionOf, KINDS, type KindRow, type Subresource } from '../kinds.ts';
import type { Answer } from '../surface.ts';

/** The version of Kubernetes whose API this is. */
const KUBERNETES = { major: '1', minor: '35', version: 'v1.35.4' } as const;

/** In the order in which the real server lists them; others follow. */
const GROUP_ORDER = [
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'certificates.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
];

export function discoveryDocument(
  path: string,
  accept: string,
  { serverAddress }: { serverAddress: string },
): Answer | undefined {
  const plain = path.replace(/\/$/, '');
  if (plain === '/version') return json(versionDocument());
  if (plain === '/api' || plain === '/apis') {
    const aggregated = aggregatedVersion(accept);
    if (aggregated !== undefined) return aggregatedAnswer(plain === '/api', aggregated);
    return json(plain === '/api' ? legacyVersions(serverAddress) : groupList());
  }
  const [, root, first, second, ...rest] = plain.split('/');
  if (rest.length > 0) return undefined;
  if (root === 'api') return second === undefined ? resourceList('', first ?? '') : undefined;
  if (root !== 'apis' || first === undefined) return undefined;
  return second === undefined ? groupDocument(first) : resourceList(first, second);
}

function json(document: unknown): Answer {
  return { contentType: 'application/json', body: `${JSON.stringify(document)}\n` };
}

function versionDocument(): object {
  const { major, minor, version } = KUBERNETES;
  return {
    major,
    minor,
    emulationMajor: major,
    emulationMinor: minor,
    minCompatibilityMajor: major,
    minCompatibilityMinor: String(Number(minor) - 1),
    gitVersion: `${version}+wasmlet`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: 'node',
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  };
}

/** Group names without the core's, in order. */
export function groupNames(): string[] {
  const names = [...new Set(KINDS.map(({ group }) => group))].filter((group) => group !== '');
  const rank = (group: string): number =>
    GROUP_ORDER.includes(group) ? GROUP_ORDER.indexOf(group) : GROUP_ORDER.length;
  return names.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

function kindsOf(group: string, version: string): KindRow[] {
  const kinds = KINDS.filter((kind) => kind.group === group && kind.version === version);
  return kinds.sort((a, b) => (a.plural < b.plural ? -1 : 1));
}

function versionsOf(group: string): string[] {
  return [...new Set(KINDS.filter((kind) => kind.group === group).map(({ version }) => version))];
}

function legacyVersions(serverAddress: string): object {
  const serverAddressByClientCIDRs = [{ clientCIDR: '0.0.0.0/0', serverAddress }];
  return { kind: 'APIVersions', versions: versionsOf(''), serverAddressByClientCIDRs };
}

function groupList(): object {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groupNames().map(groupOf) };
}

function groupOf(name: string): object {
  const versions = versionsOf(name).map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions, preferredVersion: versions[0] };
}

function groupDocument(name: string): Answer | undefined {
  return groupNames().includes(name) ? json({ kind: 'APIGroup', apiVersion: 'v1', ...groupOf(name) }) : undefined;
}

function resourceList(group: string, version: string): Answer | undefined {
  const kinds = kindsOf(group, version);
  const [first] = kinds;
  if (first === undefined) return undefined;
  const resources = kinds.flatMap((kind) => [resourceOf(kind), ...sorted(kind).map((sub) => subresourceOf(kind, sub))]);
  return json({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion: apiVersionOf(first), resources });
}

function sorted({ subresources }: KindRow): Subresource[] {
  return subresources.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function resourceOf(kind: KindRow): object {
  const { plural, singular, namespaced, verbs, shortNames, categories } = kind;
  return {
    name: plural,
    singularName: singular,
    namespaced,
    kind: kind.kind,
    verbs,
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(kind.storage === undefined ? {} : { storageVersionHash: storageHash(kind) }),
  };
}

/** Source: apiserver `pkg/endpoints/discovery/storageversionhash.go`: eight bytes of `group/version/kind`. */
function storageHash({ group, version, kind }: KindRow): string {
  return createHash('sha256').update(`${group}/${version}/${kind}`).digest().subarray(0, 8).toString('base64');
}

function subresourceOf(kind: KindRow, { name, group, version, kind: own, verbs }: Subresource): object {
  const { plural, namespaced } = kind;
  const foreign = group === undefined ? {} : { group, version };
  return { name: `${plural}/${name}`, singularName: '', namespaced, ...foreign, kind: own, verbs };
}

type AggregatedVersion = 'v2' | 'v2beta1';

/** The first clause of Accept that names an aggregated form or plain JSON decides. */
function aggregatedVersion(accept: string): AggregatedVersion | undefined {
  for (const clause of accept.slice(0, 4096).split(',')) {
    const parts = clause.split(';').map((part) => part.trim());
    if (
      parts.includes('as=APIGroupDiscoveryList') &&
      parts.includes('g=apidiscovery.k8s.io') &&
      parts[0] === 'application/json'
    ) {
      if (parts.includes('v=v2')) return 'v2';
      if (parts.includes('v=v2beta1')) return 'v2beta1';
    } else if (parts[0] === 'application/json' && !parts.some((part) => part.startsWith('as='))) return undefined;
  }
  return undefined;
}

function aggregatedAnswer(core: boolean, version: AggregatedVersion): Answer {
  const groups = core ? [''] : groupNames();
  const document = {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map(aggregatedGroup),
  };
  const body = `${JSON.stringify(document)}\n`;
  return {
    contentType: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
    body,
    etag: `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"`,
  };
}

function aggregatedGroup(name: string): object {
  const versions = versionsOf(name).map((version) => ({
    version,
    resources: kindsOf(name, version).map(aggregatedResource),
    freshness: 'Current',
  }));
  return { metadata: name === '' ? {} : { name }, versions };
}

function aggregatedResource(kind: KindRow): object {
  const { plural, singular, namespaced, verbs, shortNames, categories, subresources } = kind;
  return {
    resource: plural,
    responseKind: { group: '', version: '', kind: kind.kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs,
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(subresources.length === 0 ? {} : { subresources: sorted(kind).map(aggregatedSubresource) }),
  };
}

function aggregatedSubresource({ name, group = '', version = '', kind, verbs }: Subresource): object {
  return { subresource: name, responseKind: { group, version, kind }, verbs };
}
