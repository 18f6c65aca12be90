import { createPrivateKey, X509Certificate } from 'node:crypto';
import { kubeError } from '../errors.ts';
import type { Subject } from './job.ts';

export interface CertificateFacts {
  readonly subject: Required<Subject>;
  readonly issuer: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly addresses: readonly string[];
  readonly names: readonly string[];
  /** SHA-256 of the certificate, lower case hexadecimal. */
  readonly fingerprint: string;
  readonly isAuthority: boolean;
}

/** Reads the first certificate of a PEM text. */
export function readCertificate(pem: string | Uint8Array): CertificateFacts {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(Buffer.from(pem));
  } catch (cause) {
    throw kubeError('KUBE_CERTIFICATE_INVALID', 'Cannot read the certificate: not a certificate in PEM', { cause });
  }
  const alternatives = (certificate.subjectAltName ?? '').split(', ');
  return {
    subject: subjectOf(certificate),
    issuer: certificate.issuer.replaceAll('\n', ', '),
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime(),
    addresses: withPrefix(alternatives, 'IP Address:'),
    names: withPrefix(alternatives, 'DNS:'),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    isAuthority: certificate.ca,
  };
}

/** Whether a private key belongs to a certificate; both PEM. Garbage is a no. */
export function hasKey(cert: string | Uint8Array, key: string | Uint8Array): boolean {
  try {
    return new X509Certificate(Buffer.from(cert)).checkPrivateKey(createPrivateKey(Buffer.from(key)));
  } catch {
    return false;
  }
}

/** Whether an authority signed a certificate; both PEM. Garbage is a no. */
export function isSignedBy(cert: string | Uint8Array, authority: string | Uint8Array): boolean {
  try {
    const signer = new X509Certificate(Buffer.from(authority));
    const certificate = new X509Certificate(Buffer.from(cert));
    return certificate.issuer === signer.subject && certificate.verify(signer.publicKey);
  } catch {
    return false;
  }
}

function subjectOf(certificate: X509Certificate): Required<Subject> {
  const subject = certificate.toLegacyObject().subject as unknown as Record<string, string | string[] | undefined>;
  const commonName = subject['CN'];
  return {
    commonName: Array.isArray(commonName) ? (commonName[0] ?? '') : (commonName ?? ''),
    organizations: [subject['O'] ?? []].flat(),
  };
}

function withPrefix(values: readonly string[], prefix: string): string[] {
  return values.filter((value) => value.startsWith(prefix)).map((value) => value.slice(prefix.length));
}
