/**
 * The door of `kube/certificates`: keys, certificates and signing requests in PEM (ECDSA P-256), and what stands in them.
 * Making is done in a worker thread that ends with the job; reading needs no library and no thread.
 */
import { Worker } from 'node:worker_threads';
import { entryUrl } from '#kit';
import { kubeError } from '../errors.ts';
import type { AlternativeNames, ExtendedUsage, Job, JobResult, KeyPair, RequestFacts, Subject } from './job.ts';

export type { AlternativeNames, ExtendedUsage, KeyPair, RequestFacts, Subject } from './job.ts';
export { type CertificateFacts, hasKey, isSignedBy, readCertificate } from './read.ts';

interface Life {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly days: number;
}

/** A certificate authority of one's own. */
export function makeAuthority({ commonName, now, days }: { readonly commonName: string } & Life): Promise<KeyPair> {
  return run({ do: 'authority', commonName, validity: { now, days } });
}

export interface IssueOptions extends AlternativeNames, Life {
  readonly subject: Subject;
  readonly usages: readonly ExtendedUsage[];
}

/** A key and a certificate for it: of the authority, or without one signed by itself. */
export function issueCertificate(
  { subject, usages, addresses, names, now, days }: IssueOptions,
  authority?: KeyPair,
): Promise<KeyPair> {
  return run({ do: 'issue', authority, subject, usages, alternatives: { addresses, names }, validity: { now, days } });
}

export interface RequestOptions extends AlternativeNames {
  readonly subject: Subject;
  /** An earlier attempt's key, to ask again for the same thing; a new one is made without. */
  readonly key?: string | undefined;
}

/** A certificate signing request (PKCS #10) and its key. */
export function makeSigningRequest({
  subject,
  key,
  addresses,
  names,
}: RequestOptions): Promise<{ readonly request: string; readonly key: string }> {
  return run({ do: 'request', subject, key, alternatives: { addresses, names } });
}

/** What a request asks for. Throws KUBE_CERTIFICATE_INVALID when it is not one, or is not signed with its own key. */
export function readSigningRequest(request: string): Promise<RequestFacts> {
  return run({ do: 'read-request', request });
}

/** Signs a request. Whether its subject and names may be granted is for the caller to decide before. */
export async function signRequest(
  { request, usages, now, days }: { readonly request: string; readonly usages: readonly ExtendedUsage[] } & Life,
  authority: KeyPair,
): Promise<string> {
  return (await run({ do: 'sign', authority, request, usages, validity: { now, days } })).cert;
}

function run<J extends Job>(job: J): Promise<JobResult<J>> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(entryUrl('certificates'), {
      workerData: job,
      resourceLimits: { maxOldGenerationSizeMb: 64 },
    });
    worker.once('message', (answer: { ok: JobResult<J> } | { error: string }) => {
      if ('ok' in answer) resolve(answer.ok);
      else reject(kubeError('KUBE_CERTIFICATE_INVALID', `Cannot ${WORDS[job.do]}: ${answer.error}`));
    });
    worker.once('error', (cause) => reject(kubeError('KUBE_CERTIFICATE_FAILED', `Cannot ${WORDS[job.do]}`, { cause })));
    worker.once('exit', (code) => {
      reject(kubeError('KUBE_CERTIFICATE_FAILED', `Cannot ${WORDS[job.do]}: the worker ended with ${code}`));
    });
  });
}

const WORDS: Record<Job['do'], string> = {
  authority: 'make a certificate authority',
  issue: 'issue a certificate',
  request: 'make a certificate signing request',
  'read-request': 'read the certificate signing request',
  sign: 'sign the certificate signing request',
};
