/** Label and field selectors of a request as one predicate. Field names by kind: `pkg/registry/core/STAR/strategy.go`, `pkg/apis/core/v1/conversion.go`. */

import { messageOf } from '#kit';
import {
  type FieldRequirement,
  type LabelRequirement,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
} from '#kube';
import { type KindRow, resourceName } from '../kinds.ts';
import { badRequest } from '../status.ts';
import type { ApiObject } from '../surface.ts';

export interface Selection {
  readonly matches: (object: ApiObject) => boolean;
  readonly everything: boolean;
  /** The value that `metadata.name=` asks for, for reading one instead of all, and for authorization. */
  readonly name: string | undefined;
  readonly fields: readonly FieldRequirement[];
}

type Read = (object: ApiObject) => unknown;

function at(...path: readonly string[]): Read {
  return (object) =>
    path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object);
}

const COMMON: Readonly<Record<string, Read>> = {
  'metadata.name': at('metadata', 'name'),
  'metadata.namespace': at('metadata', 'namespace'),
};

const INVOLVED = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];

const FIELDS: Readonly<Record<string, Readonly<Record<string, Read>>>> = {
  pods: {
    'spec.nodeName': at('spec', 'nodeName'),
    'spec.restartPolicy': at('spec', 'restartPolicy'),
    'spec.schedulerName': at('spec', 'schedulerName'),
    'spec.serviceAccountName': at('spec', 'serviceAccountName'),
    'spec.hostNetwork': (pod) => String(at('spec', 'hostNetwork')(pod) === true),
    'status.phase': at('status', 'phase'),
    'status.podIP': at('status', 'podIP'),
    'status.podIPs': at('status', 'podIP'),
    'status.nominatedNodeName': at('status', 'nominatedNodeName'),
  },
  nodes: { 'spec.unschedulable': (node) => String(at('spec', 'unschedulable')(node) === true) },
  namespaces: { 'status.phase': at('status', 'phase'), name: at('metadata', 'name') },
  secrets: { type: at('type') },
  events: {
    ...Object.fromEntries(INVOLVED.map((key) => [`involvedObject.${key}`, at('involvedObject', key)])),
    ...Object.fromEntries(INVOLVED.map((key) => [`regarding.${key}`, at('involvedObject', key)])),
    reason: at('reason'),
    type: at('type'),
    reportingComponent: at('reportingComponent'),
    reportingController: at('reportingComponent'),
    source: (event) => at('source', 'component')(event) ?? at('reportingComponent')(event),
  },
  'certificates.k8s.io/certificatesigningrequests': { 'spec.signerName': at('spec', 'signerName') },
};

export function selectionOf(kind: KindRow, query: URLSearchParams): Selection {
  const labelText = query.get('labelSelector') ?? '';
  const fieldText = query.get('fieldSelector') ?? '';
  const labels = parsed('labelSelector', labelText, parseLabelSelector);
  const fields = parsed('fieldSelector', fieldText, parseFieldSelector);
  const readers: Record<string, Read> = { ...COMMON, ...FIELDS[kind.storage ?? ''] };
  for (const { field } of fields) {
    if (Object.hasOwn(readers, field)) continue;
    const what = `Unable to find ${JSON.stringify(resourceName(kind))} that match label selector ${JSON.stringify(labelText)}`;
    throw badRequest(`${what}, field selector ${JSON.stringify(fieldText)}: field label not supported: ${field}`);
  }
  return {
    matches: (object) => matchesAll(object, { labels, fields, readers }),
    everything: labels.length === 0 && fields.length === 0,
    name: fields.find(({ field, equal }) => field === 'metadata.name' && equal)?.value,
    fields,
  };
}

interface Terms {
  readonly labels: readonly LabelRequirement[];
  readonly fields: readonly FieldRequirement[];
  readonly readers: Readonly<Record<string, Read>>;
}

function matchesAll(object: ApiObject, { labels, fields, readers }: Terms): boolean {
  if (labels.length > 0 && !matchesLabels(labels, object.metadata.labels)) return false;
  return fields.length === 0 || matchesFields(fields, (field) => String(readers[field]?.(object) ?? ''));
}

function parsed<T>(what: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    throw badRequest(`unable to parse ${what}: ${messageOf(error)}`);
  }
}
