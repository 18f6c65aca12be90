/** The columns of each kind's table. Source: `pkg/printers/internalversion/printers.go` (AddHandlers). */
import { descriptionOf } from '#kube/schema';
import type { Column } from '../surface.ts';

const CORE = 'io.k8s.api.core.v1.';
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

/** [name, description, or definition and property of it] and what differs from a string column of priority 0. */
type Short = readonly [
  name: string,
  description: string | readonly [definition: string, property: string],
  more?: Partial<Column>,
];

const WIDE = { priority: 1 } as const;
const NAME: Short = ['Name', [META, 'name'], { format: 'name' }];
const AGE: Short = ['Age', [META, 'creationTimestamp']];

const SHORT: Readonly<Record<string, readonly Short[]>> = {
  Pod: [
    NAME,
    ['Ready', 'The aggregate readiness state of this pod for accepting traffic.'],
    ['Status', 'The aggregate status of the containers in this pod.'],
    [
      'Restarts',
      'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
    ],
    AGE,
    ['IP', [`${CORE}PodStatus`, 'podIP'], WIDE],
    ['Node', [`${CORE}PodSpec`, 'nodeName'], WIDE],
    ['Nominated Node', [`${CORE}PodStatus`, 'nominatedNodeName'], WIDE],
    ['Readiness Gates', [`${CORE}PodSpec`, 'readinessGates'], WIDE],
  ],
  Node: [
    NAME,
    ['Status', 'The status of the node'],
    ['Roles', 'The roles of the node'],
    AGE,
    ['Version', [`${CORE}NodeSystemInfo`, 'kubeletVersion']],
    ['Internal-IP', [`${CORE}NodeStatus`, 'addresses'], WIDE],
    ['External-IP', [`${CORE}NodeStatus`, 'addresses'], WIDE],
    ['OS-Image', [`${CORE}NodeSystemInfo`, 'osImage'], WIDE],
    ['Kernel-Version', [`${CORE}NodeSystemInfo`, 'kernelVersion'], WIDE],
    ['Container-Runtime', [`${CORE}NodeSystemInfo`, 'containerRuntimeVersion'], WIDE],
  ],
  Event: [
    ['Last Seen', [`${CORE}Event`, 'lastTimestamp']],
    ['Type', [`${CORE}Event`, 'type']],
    ['Reason', [`${CORE}Event`, 'reason']],
    ['Object', [`${CORE}Event`, 'involvedObject']],
    ['Subobject', [`${CORE}ObjectReference`, 'fieldPath'], WIDE],
    ['Source', [`${CORE}Event`, 'source'], WIDE],
    ['Message', [`${CORE}Event`, 'message']],
    ['First Seen', [`${CORE}Event`, 'firstTimestamp'], WIDE],
    ['Count', [`${CORE}Event`, 'count'], WIDE],
    ['Name', [META, 'name'], { ...WIDE, format: 'name' }],
  ],
  Namespace: [NAME, ['Status', 'The status of the namespace'], AGE],
  Secret: [NAME, ['Type', [`${CORE}Secret`, 'type']], ['Data', [`${CORE}Secret`, 'data']], AGE],
  ServiceAccount: [NAME, AGE],
  ConfigMap: [NAME, ['Data', [`${CORE}ConfigMap`, 'data']], AGE],
  Lease: [NAME, ['Holder', ['io.k8s.api.coordination.v1.LeaseSpec', 'holderIdentity']], AGE],
  CertificateSigningRequest: [
    NAME,
    AGE,
    ['SignerName', ['io.k8s.api.certificates.v1.CertificateSigningRequestSpec', 'signerName']],
    ['Requestor', ['io.k8s.api.certificates.v1.CertificateSigningRequestSpec', 'request']],
    ['RequestedDuration', ['io.k8s.api.certificates.v1.CertificateSigningRequestSpec', 'expirationSeconds']],
    ['Condition', ['io.k8s.api.certificates.v1.CertificateSigningRequestStatus', 'conditions']],
  ],
  RuntimeClass: [NAME, ['Handler', ''], AGE],
  PriorityClass: [
    NAME,
    ['Value', ['io.k8s.api.scheduling.v1.PriorityClass', 'value'], { type: 'integer' }],
    ['Global-Default', ['io.k8s.api.scheduling.v1.PriorityClass', 'globalDefault'], { type: 'boolean' }],
    AGE,
    ['PreemptionPolicy', ['io.k8s.api.scheduling.v1.PriorityClass', 'preemptionPolicy']],
  ],
};

/** What a kind without a printer of its own has. Source: apiserver `pkg/registry/rest/table.go`. */
const FALLBACK: readonly Short[] = [
  ['Name', [META, 'name'], { format: 'name' }],
  ['Created At', [META, 'creationTimestamp'], { type: 'date' }],
];

export function hasPrinter(kind: string): boolean {
  return Object.hasOwn(SHORT, kind);
}

export function columnsOf(kind: string): Column[] {
  return (SHORT[kind] ?? FALLBACK).map(([name, description, more = {}]) => ({
    name,
    type: 'string',
    format: '',
    description: typeof description === 'string' ? description : descriptionOf(...description),
    priority: 0,
    ...more,
  }));
}
