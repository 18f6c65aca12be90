/** The cells of every kind but pods. Source: `pkg/printers/internalversion/printers.go`. */
import type {
  CertificateSigningRequest,
  ConfigMap,
  Event,
  Lease,
  Namespace,
  Node,
  PriorityClass,
  RuntimeClass,
  Secret,
} from '#kube/types';
import type { ApiObject } from '../surface.ts';
import { ageOf, humanDuration } from './age.ts';

type Cells = (object: ApiObject, now: number) => unknown[];

export const CELLS: Readonly<Record<string, Cells>> = {
  Node: nodeCells,
  Event: eventCells,
  Namespace: (object, now) => [nameOf(object), (object as Namespace).status?.phase ?? '', created(object, now)],
  Secret: (object, now) => {
    const { type = '', data = {} } = object as Secret;
    return [nameOf(object), type, Object.keys(data).length, created(object, now)];
  },
  ServiceAccount: (object, now) => [nameOf(object), created(object, now)],
  ConfigMap: (object, now) => {
    const { data = {}, binaryData = {} } = object as ConfigMap;
    return [nameOf(object), Object.keys(data).length + Object.keys(binaryData).length, created(object, now)];
  },
  Lease: (object, now) => [nameOf(object), (object as Lease).spec?.holderIdentity ?? '', created(object, now)],
  CertificateSigningRequest: requestCells,
  RuntimeClass: (object, now) => [
    nameOf(object),
    (object as unknown as RuntimeClass).handler ?? '',
    created(object, now),
  ],
  PriorityClass: (object, now) => {
    const { value = 0, globalDefault = false, preemptionPolicy = '' } = object as unknown as PriorityClass;
    return [nameOf(object), value, globalDefault, created(object, now), preemptionPolicy];
  },
};

function nameOf({ metadata }: ApiObject): string {
  return metadata.name ?? '';
}

function created({ metadata }: ApiObject, now: number): string {
  return ageOf(metadata.creationTimestamp, now);
}

function nodeCells(object: ApiObject, now: number): unknown[] {
  const { metadata, spec, status } = object as Node;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const states = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'];
  if (spec?.unschedulable) states.push('SchedulingDisabled');
  const info = status?.nodeInfo;
  const address = (kind: string): string => status?.addresses?.find(({ type }) => type === kind)?.address ?? '<none>';
  return [
    nameOf(object),
    states.join(','),
    rolesOf(metadata?.labels ?? {}) || '<none>',
    created(object, now),
    info?.kubeletVersion ?? '',
    address('InternalIP'),
    address('ExternalIP'),
    info?.osImage || '<unknown>',
    info?.kernelVersion || '<unknown>',
    info?.containerRuntimeVersion || '<unknown>',
  ];
}

const ROLE_PREFIX = 'node-role.kubernetes.io/';

function rolesOf(labels: Readonly<Record<string, string>>): string {
  const roles = Object.entries(labels).flatMap(([key, value]) => {
    if (key.startsWith(ROLE_PREFIX)) return [key.slice(ROLE_PREFIX.length)];
    return key === 'kubernetes.io/role' ? [value] : [];
  });
  return [...new Set(roles.filter((role) => role !== ''))].sort().join(',');
}

/** Takes core/v1 events and, by their other names for the same, those of events.k8s.io/v1. */
function coreEvent(object: ApiObject): Event {
  if (object['regarding'] === undefined) return object as unknown as Event;
  return {
    ...object,
    involvedObject: object['regarding'],
    message: object['note'],
    source: object['deprecatedSource'],
    firstTimestamp: object['deprecatedFirstTimestamp'],
    lastTimestamp: object['deprecatedLastTimestamp'],
    count: object['deprecatedCount'],
    reportingComponent: object['reportingController'],
  } as unknown as Event;
}

function eventCells(object: ApiObject, now: number): unknown[] {
  const event = coreEvent(object);
  const { involvedObject, series, source } = event;
  const first = ageOf(event.firstTimestamp ?? event.eventTime, now);
  const last = event.lastTimestamp ? ageOf(event.lastTimestamp, now) : first;
  const kind = (involvedObject?.kind ?? '').toLowerCase();
  const component = source?.component || (event.reportingComponent ?? '');
  const instance = source?.host || (event.reportingInstance ?? '');
  return [
    series ? ageOf(series.lastObservedTime, now) : last,
    event.type ?? '',
    event.reason ?? '',
    involvedObject?.name ? `${kind}/${involvedObject.name}` : kind,
    involvedObject?.fieldPath ?? '',
    instance === '' ? component : `${component}, ${instance}`,
    (event.message ?? '').trim(),
    first,
    series ? (series.count ?? 0) : event.count || 1,
    nameOf(object),
  ];
}

function requestCells(object: ApiObject, now: number): unknown[] {
  const { spec } = object as unknown as CertificateSigningRequest;
  const seconds = spec.expirationSeconds;
  const duration = seconds === undefined ? '<none>' : humanDuration(seconds * 1000);
  return [
    nameOf(object),
    created(object, now),
    spec.signerName || '<none>',
    spec.username ?? '',
    duration,
    requestState(object),
  ];
}

function requestState(object: ApiObject): string {
  const { status } = object as unknown as CertificateSigningRequest;
  const has = (wanted: string): boolean => status?.conditions?.some(({ type }) => type === wanted) ?? false;
  const decided = has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending';
  return `${decided}${has('Failed') ? ',Failed' : ''}${status?.certificate ? ',Issued' : ''}`;
}
