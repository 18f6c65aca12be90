/**
 * Asks the cluster for a certificate and waits for it: a CertificateSigningRequest, watched until it is issued, denied or
 * gone. Source: certificates.k8s.io/v1; kubelet `pkg/kubelet/certificate`, client-go `util/certificate/csr`.
 *
 * The key lies on disk before the request is made and the request's name follows from it: however often the node starts
 * again, there is one request to approve.
 */
import { createHash, createPublicKey } from 'node:crypto';
import type { Clock, Log } from '#kit';
import { CERTIFICATE_SIGNING_REQUESTS, informer, isAlreadyExists, type KubeClient } from '#kube';
import { type AlternativeNames, hasKey, type KeyPair, makeSigningRequest, type Subject } from '#kube/certificates';
import type { CertificateSigningRequest } from '#kube/types';
import { nodeError } from '../errors.ts';
import { forget, loadKey, writeDurably } from './pem-store.ts';

export interface CertificateWish {
  /** `kubernetes.io/kube-apiserver-client-kubelet` or `kubernetes.io/kubelet-serving`. */
  readonly signerName: string;
  readonly usages: readonly string[];
  readonly subject: Subject;
  readonly alternatives: AlternativeNames;
}

export interface RequestOptions {
  readonly client: KubeClient;
  /** Where the key of the request is kept until it is answered. */
  readonly keyPath: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** The certificate that the new one follows: its key is not used again. */
  readonly replaces?: KeyPair | undefined;
  /** Called with the request's name when it has to be approved. */
  readonly onPending?: ((name: string) => void) | undefined;
}

/** The wish of a node's client certificate. */
export function clientWish(nodeName: string): CertificateWish {
  return {
    signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
    usages: ['digital signature', 'client auth'],
    subject: subjectOf(nodeName),
    alternatives: {},
  };
}

/** The wish of a node's serving certificate: by the addresses that the Node object shows. */
export function servingWish(
  nodeName: string,
  { address, hostname }: { address: string; hostname: string },
): CertificateWish {
  return {
    signerName: 'kubernetes.io/kubelet-serving',
    usages: ['digital signature', 'server auth'],
    subject: subjectOf(nodeName),
    alternatives: { addresses: [address], names: hostname === address ? [] : [hostname] },
  };
}

function subjectOf(nodeName: string): Subject {
  return { commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] };
}

/** Rejects with NODE_CERTIFICATE_DENIED, or NODE_CERTIFICATE_UNUSABLE when asking again may help. */
export async function requestCertificate(wish: CertificateWish, options: RequestOptions): Promise<KeyPair> {
  const { client, keyPath, replaces, signal } = options;
  const { subject, alternatives } = wish;
  const found = await loadKey(keyPath);
  const stored = found !== undefined && replaces !== undefined && hasKey(replaces.cert, found) ? undefined : found;
  const made = await makeSigningRequest({ subject, ...alternatives, key: stored });
  if (stored === undefined) await writeDurably(keyPath, made.key);
  const object = objectOf(wish, made);
  try {
    await client.create<CertificateSigningRequest>(CERTIFICATE_SIGNING_REQUESTS, object, { signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
  try {
    const cert = await issued(object.metadata?.name ?? '', options);
    if (!hasKey(cert, made.key)) throw unusable('the certificate is for another key');
    return { cert, key: made.key };
  } catch (error) {
    // Denied or broken: the next try must not find the same request again.
    if (!signal.aborted) await forget(keyPath);
    throw error;
  }
}

function objectOf(wish: CertificateWish, made: { request: string; key: string }): CertificateSigningRequest {
  const publicKey = createPublicKey(made.key).export({ type: 'spki', format: 'der' });
  const asked = JSON.stringify([wish.signerName, wish.subject, wish.alternatives]);
  const digest = createHash('sha256').update(publicKey).update(asked).digest('hex').slice(0, 40);
  return {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: `node-csr-${digest}` },
    spec: {
      signerName: wish.signerName,
      usages: [...wish.usages],
      request: Buffer.from(made.request).toString('base64'),
    },
  };
}

/** The certificate in PEM, once the signer has written it. */
async function issued(name: string, { client, clock, log, signal, onPending }: RequestOptions): Promise<string> {
  await using requests = informer<CertificateSigningRequest>(client, CERTIFICATE_SIGNING_REQUESTS, {
    fieldSelector: `metadata.name=${name}`,
    clock,
    log,
  });
  const done = Promise.withResolvers<string>();
  const abort = (): void => done.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  requests.on(({ type, object }) => {
    if (type === 'deleted') return done.reject(unusable(`the request '${name}' was deleted`));
    const verdict = verdictOf(object);
    if (verdict instanceof Error) done.reject(verdict);
    else if (verdict !== undefined) done.resolve(verdict);
    else if (type === 'added') onPending?.(name);
  });
  requests.start();
  try {
    return await done.promise;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function verdictOf({ metadata, status }: CertificateSigningRequest): string | Error | undefined {
  for (const { type, reason, message } of status?.conditions ?? []) {
    if (type !== 'Denied' && type !== 'Failed') continue;
    const state = `the request '${metadata?.name}' was ${type === 'Denied' ? 'denied' : 'not signed'}`;
    return nodeError(
      'NODE_CERTIFICATE_DENIED',
      `Cannot get a certificate: ${state} (${message || reason || 'no reason given'})`,
      {
        hint: 'Ask the administrator of the cluster',
      },
    );
  }
  if (status?.certificate === undefined || status.certificate === '') return undefined;
  const text = Buffer.from(status.certificate, 'base64').toString('utf8');
  return text.includes('-----BEGIN CERTIFICATE-----') ? text : unusable('the signer wrote no certificate in PEM');
}

function unusable(state: string): Error {
  return nodeError('NODE_CERTIFICATE_UNUSABLE', `Cannot get a certificate: ${state}`);
}
