/**
 * Approves what a node asks for itself and signs what is approved. Source: Kubernetes `pkg/controller/certificates/{approver,signer}`,
 * `pkg/apis/certificates/helpers.go`. Other than there, a serving certificate is approved when its addresses are the node's own.
 */
import { messageOf } from '#kit';
import { fromTime } from '#kube';
import { type ExtendedUsage, type KeyPair, readSigningRequest, signRequest } from '#kube/certificates';
import type { CertificateSigningRequest, CertificateSigningRequestSpec, Node } from '#kube/types';
import { modifyObject, nowOf, SIGNING_REQUESTS } from '../rest/mod.ts';
import type { ControllerContext } from './mod.ts';
import { eachKey, every, Reconciler } from './reconciler.ts';

const CLIENT_KUBELET = 'kubernetes.io/kube-apiserver-client-kubelet';
const SERVING_KUBELET = 'kubernetes.io/kubelet-serving';
const CLIENT = 'kubernetes.io/kube-apiserver-client';
const STORAGE = 'certificates.k8s.io/certificatesigningrequests';
const DAYS = 365;
const DAY = 86_400;
const FORGET = 3_600_000;
const LOOK = 300_000;

interface RequestFacts {
  readonly subject: { readonly commonName: string; readonly organizations?: readonly string[] | undefined };
  readonly addresses: readonly string[];
  readonly names: readonly string[];
  readonly others: number;
}

export function startSigning({ api, signal }: ControllerContext, authority: KeyPair): { idle(): Promise<void> } {
  const queue = new Reconciler(api, { name: 'certificates', signal, work: eachKey(reconcile) });
  const running = every(api, LOOK, { name: 'certificates', signal, work: forget });

  async function reconcile(name: string): Promise<void> {
    const request = api.store.get({ storage: STORAGE, namespace: '', name })?.value as
      | CertificateSigningRequest
      | undefined;
    if (
      request === undefined ||
      request.status?.certificate !== undefined ||
      has(request, 'Denied') ||
      has(request, 'Failed')
    )
      return;
    const { spec } = request;
    if (![CLIENT_KUBELET, SERVING_KUBELET, CLIENT].includes(spec.signerName)) return;
    let facts: RequestFacts;
    try {
      facts = await readSigningRequest(Buffer.from(spec.request, 'base64').toString('utf8'));
    } catch (error) {
      return fail(name, `unable to parse csr: ${messageOf(error)}`);
    }
    if (has(request, 'Approved')) return sign(name, request, facts);
    if (mayApprove(spec, facts)) approve(name, spec.signerName);
  }

  function mayApprove(spec: CertificateSigningRequestSpec, facts: RequestFacts): boolean {
    if (problemOf(spec, facts) !== undefined) return false;
    const self = spec.username === facts.subject.commonName && spec.groups?.includes('system:nodes') === true;
    if (spec.signerName === CLIENT_KUBELET) return self || spec.groups?.includes('system:bootstrappers') === true;
    return spec.signerName === SERVING_KUBELET && self && areOwnAddresses(facts);
  }

  function areOwnAddresses({ subject, addresses, names }: RequestFacts): boolean {
    const name = subject.commonName.slice('system:node:'.length);
    const node = api.store.get({ storage: 'nodes', namespace: '', name })?.value as Node | undefined;
    const own = new Set([name, ...(node?.status?.addresses ?? []).map(({ address }) => address)]);
    return node !== undefined && [...addresses, ...names].every((one) => own.has(one));
  }

  function approve(name: string, signer: string): void {
    const [reason, message] = [
      'AutoApproved',
      `Auto approving ${signer === SERVING_KUBELET ? "a node's own serving certificate" : 'kubelet client certificate after SubjectAccessReview.'}`,
    ];
    addCondition(name, { type: 'Approved', reason, message });
  }

  function fail(name: string, message: string): void {
    addCondition(name, { type: 'Failed', reason: 'SignerValidationFailure', message });
  }

  function addCondition(name: string, condition: { type: string; reason: string; message: string }): void {
    const now = nowOf(api);
    modifyObject(api, { kind: SIGNING_REQUESTS, namespace: '', name }, (object) => {
      const request = object as unknown as CertificateSigningRequest;
      const conditions = [
        ...(request.status?.conditions ?? []),
        { ...condition, status: 'True', lastUpdateTime: now, lastTransitionTime: now },
      ];
      request.status = { ...request.status, conditions };
      return true;
    });
  }

  async function sign(name: string, { spec, metadata }: CertificateSigningRequest, facts: RequestFacts): Promise<void> {
    const problem = problemOf(spec, facts);
    if (problem !== undefined) return fail(name, problem);
    const usages: ExtendedUsage[] = spec.signerName === SERVING_KUBELET ? ['server auth'] : ['client auth'];
    const days = Math.min(DAYS, (spec.expirationSeconds ?? DAYS * DAY) / DAY);
    const request = Buffer.from(spec.request, 'base64').toString('utf8');
    const certificate = await signRequest({ request, usages, now: api.clock.now(), days }, authority);
    modifyObject(api, { kind: SIGNING_REQUESTS, namespace: '', name }, (object) => {
      if (object.metadata.uid !== metadata?.uid) return false;
      object['status'] = { ...(object['status'] as object), certificate: Buffer.from(certificate).toString('base64') };
      return true;
    });
  }

  function forget(): void {
    for (const { name, value } of api.store.list(STORAGE)) {
      const created = fromTime(value.metadata.creationTimestamp) ?? 0;
      if (api.clock.now() - created > FORGET) api.store.remove({ storage: STORAGE, namespace: '', name });
    }
  }

  api.store.subscribe(STORAGE, ({ entry, type }) => {
    if (type !== 'DELETED') queue.push(entry.name);
  });
  for (const { name } of api.store.list(STORAGE)) queue.push(name);
  return { idle: () => (signal.aborted ? running.then(() => queue.idle()) : queue.idle()) };
}

function has({ status }: CertificateSigningRequest, type: string): boolean {
  return status?.conditions?.some((condition) => condition.type === type) === true;
}

/** Why the signer must not sign it. */
function problemOf(
  { signerName, usages = [] }: CertificateSigningRequestSpec,
  { subject, addresses, names, others }: RequestFacts,
): string | undefined {
  const { commonName, organizations = [] } = subject;
  const serving = signerName === SERVING_KUBELET;
  if (signerName === CLIENT)
    return organizations.includes('system:masters')
      ? 'use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed'
      : undefined;
  if (organizations.length !== 1 || organizations[0] !== 'system:nodes')
    return 'subject organization is not system:nodes';
  if (!commonName.startsWith('system:node:') || commonName === 'system:node:')
    return 'subject common name does not begin with system:node:';
  if (others > 0) return serving ? 'URI and email subjectAltNames are not allowed' : 'subjectAltNames are not allowed';
  if (!serving && addresses.length + names.length > 0) return 'DNS and IP subjectAltNames are not allowed';
  if (serving && addresses.length + names.length === 0) return 'DNS or IP subjectAltName is required';
  const own = serving ? 'server auth' : 'client auth';
  const allowed = new Set(['digital signature', 'key encipherment', own]);
  const right =
    usages.includes(own) && usages.includes('digital signature') && usages.every((usage) => allowed.has(usage));
  return right ? undefined : 'usages did not match';
}
