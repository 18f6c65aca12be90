/**
 * The downward API: what `fieldRef` and `resourceFieldRef` say, in environments and in volumes. Source:
 * `pkg/fieldpath/fieldpath.go`, kubelet `kubelet_pods.go` podFieldSelectorRuntimeValue, `pkg/api/v1/resource/helpers.go`.
 */
import { milliValueOf, parseQuantity, type Quantity, wholeValueOf } from '#kube';
import type { Container, Pod, ResourceFieldSelector } from '#kube/types';
import type { NodeFacts } from '../volume/contract.ts';
import { podError } from './errors.ts';

export function fieldValue(pod: Pod, path: string, facts: Pick<NodeFacts, 'hostIPs' | 'podIPs'>): string {
  const { metadata = {}, spec } = pod;
  const keyed = /^metadata\.(labels|annotations)\['(.{1,512})'\]$/s.exec(path);
  if (keyed !== null) return metadata[keyed[1] as 'labels' | 'annotations']?.[keyed[2] ?? ''] ?? '';
  switch (path) {
    case 'metadata.name':
      return metadata.name ?? '';
    case 'metadata.namespace':
      return metadata.namespace ?? '';
    case 'metadata.uid':
      return metadata.uid ?? '';
    case 'metadata.labels':
      return mapText(metadata.labels);
    case 'metadata.annotations':
      return mapText(metadata.annotations);
    case 'spec.nodeName':
      return spec?.nodeName ?? '';
    case 'spec.serviceAccountName':
      return spec?.serviceAccountName ?? spec?.serviceAccount ?? '';
    case 'status.hostIP':
      return facts.hostIPs[0] ?? '';
    case 'status.hostIPs':
      return facts.hostIPs.join(',');
    case 'status.podIP':
      return facts.podIPs[0] ?? '';
    case 'status.podIPs':
      return facts.podIPs.join(',');
    default:
      throw podError('POD_CONFIG_INVALID', `unsupported fieldPath: ${path}`);
  }
}

/** One `key="value"` a line, sorted. Source: fieldpath.go FormatMap. */
function mapText(map: Readonly<Record<string, string>> = {}): string {
  return Object.keys(map)
    .toSorted()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n');
}

export function resourceValue(
  pod: Pod,
  { resource, containerName, divisor }: ResourceFieldSelector,
  { container, allocatable }: { container?: Container | undefined; allocatable: NodeFacts['allocatable'] },
): string {
  const of = containerName === undefined || containerName === '' ? container : containerNamed(pod, containerName);
  if (of === undefined) throw podError('POD_CONFIG_INVALID', `container ${containerName ?? ''} not found`);
  const [kind = '', ...rest] = resource.split('.');
  const name = rest.join('.');
  const known = /^(cpu|memory|ephemeral-storage|hugepages-.+)$/.test(name);
  if (!known || (kind !== 'limits' && kind !== 'requests')) {
    throw podError('POD_CONFIG_INVALID', `unsupported container resource : ${resource}`);
  }
  const given = of.resources?.[kind]?.[name];
  const amount = given ?? (kind === 'limits' ? allocatable[name] : undefined) ?? 0;
  return scaled(parseQuantity(amount), { name, divisor: parseQuantity(zeroIsOne(divisor)) });
}

function zeroIsOne(divisor: string | number | undefined): string | number {
  return divisor === undefined || divisor === '' || parseQuantity(divisor).nanos === 0n ? '1' : divisor;
}

function scaled(amount: Quantity, { name, divisor }: { name: string; divisor: Quantity }): string {
  const value = name === 'cpu' ? milliValueOf : wholeValueOf;
  return String(Math.ceil(value(amount) / value(divisor)));
}

function containerNamed({ spec }: Pod, name: string): Container | undefined {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].find((container) => container.name === name);
}
