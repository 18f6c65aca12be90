/**
 * The jobs themselves. Only this file knows the library that writes ASN.1 (node:crypto can read certificates, but not
 * make them), and only a worker thread loads this file, so that its memory is gone when the job is done.
 */
import 'reflect-metadata';
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import type {
  AlternativeNames,
  ExtendedUsage,
  Job,
  JobResults,
  KeyPair,
  RequestFacts,
  Subject,
  Validity,
} from './job.ts';

const CURVE = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const BACKDATE = 5 * 60_000;
const DAY = 24 * 3_600_000;
/** RFC 5280 4.2.1.6. */
const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17';

type CryptoKeyPair = webcrypto.CryptoKeyPair;
type CryptoKey = webcrypto.CryptoKey;
const EXTENDED: Record<ExtendedUsage, string> = {
  'client auth': x509.ExtendedKeyUsage.clientAuth,
  'server auth': x509.ExtendedKeyUsage.serverAuth,
};

x509.cryptoProvider.set(webcrypto as Crypto);

export async function work(job: Job): Promise<JobResults[keyof JobResults]> {
  switch (job.do) {
    case 'authority':
      return await makeAuthority(job.commonName, job.validity);
    case 'issue':
      return await issue(job);
    case 'request':
      return await makeRequest(job);
    case 'read-request':
      return readRequest(await verifiedRequest(job.request));
    case 'sign':
      return await sign(job);
  }
}

async function makeAuthority(commonName: string, validity: Validity): Promise<KeyPair> {
  const keys = await generateKeys();
  const name = nameOf({ commonName });
  const cert = await x509.X509CertificateGenerator.create({
    ...common(validity),
    subject: name,
    issuer: name,
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    signingAlgorithm: CURVE,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: pem(cert), key: await exportKey(keys.privateKey) };
}

async function issue(job: Extract<Job, { do: 'issue' }>): Promise<KeyPair> {
  const keys = await generateKeys();
  const subject = nameOf(job.subject);
  const signer =
    job.authority === undefined
      ? { issuer: subject, key: keys.privateKey, algorithm: CURVE }
      : await signerOf(job.authority);
  const cert = await x509.X509CertificateGenerator.create({
    ...common(job.validity),
    subject,
    issuer: signer.issuer,
    publicKey: keys.publicKey,
    signingKey: signer.key,
    signingAlgorithm: signer.algorithm,
    extensions: [...leafExtensions(job.usages), ...alternativeExtension(job.alternatives)],
  });
  return { cert: pem(cert), key: await exportKey(keys.privateKey) };
}

async function makeRequest(job: Extract<Job, { do: 'request' }>): Promise<JobResults['request']> {
  const keys = job.key === undefined ? await generateKeys() : await importKeys(job.key);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: nameOf(job.subject),
    keys,
    signingAlgorithm: CURVE,
    extensions: alternativeExtension(job.alternatives),
  });
  return { request: pem(request), key: job.key ?? (await exportKey(keys.privateKey)) };
}

async function verifiedRequest(text: string): Promise<x509.Pkcs10CertificateRequest> {
  const request = new x509.Pkcs10CertificateRequest(text);
  if (!(await request.verify())) throw new Error('the request is not signed with its own key');
  return request;
}

function readRequest(request: x509.Pkcs10CertificateRequest): RequestFacts {
  const extension = request.getExtension(SUBJECT_ALTERNATIVE_NAME) as x509.SubjectAlternativeNameExtension | null;
  const names = extension?.names.toJSON() ?? [];
  const commonNames = request.subjectName.getField('CN');
  return {
    subject: { commonName: commonNames.join(','), organizations: request.subjectName.getField('O') },
    addresses: names.filter(({ type }) => type === 'ip').map(({ value }) => value),
    names: names.filter(({ type }) => type === 'dns').map(({ value }) => value),
    others: names.filter(({ type }) => type !== 'ip' && type !== 'dns').length,
  };
}

/** Takes the subject, the key and the names from the request and nothing else: usages are the signer's to say. */
async function sign(job: Extract<Job, { do: 'sign' }>): Promise<JobResults['sign']> {
  const request = await verifiedRequest(job.request);
  const { addresses, names } = readRequest(request);
  const signer = await signerOf(job.authority);
  const cert = await x509.X509CertificateGenerator.create({
    ...common(job.validity),
    subject: request.subjectName,
    issuer: signer.issuer,
    publicKey: request.publicKey,
    signingKey: signer.key,
    signingAlgorithm: signer.algorithm,
    extensions: [...leafExtensions(job.usages), ...alternativeExtension({ addresses, names })],
  });
  return { cert: pem(cert) };
}

function common({ now, days }: Validity): { serialNumber: string; notBefore: Date; notAfter: Date } {
  const serial = randomBytes(16);
  // Positive and never shorter: RFC 5280 4.1.2.2.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return {
    serialNumber: serial.toString('hex'),
    notBefore: new Date(now - BACKDATE),
    notAfter: new Date(now + days * DAY),
  };
}

function leafExtensions(usages: readonly ExtendedUsage[]): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension(usages.map((usage) => EXTENDED[usage])),
  ];
}

function alternativeExtension({ addresses = [], names = [] }: AlternativeNames): x509.Extension[] {
  const all = [
    ...names.map((value) => ({ type: 'dns' as const, value })),
    ...addresses.filter((value) => isIP(value) !== 0).map((value) => ({ type: 'ip' as const, value })),
  ];
  return all.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(all)];
}

function nameOf({ commonName, organizations = [] }: Subject): x509.JsonName {
  // Values starting with '#' would be read as hexadecimal DER.
  if ([commonName, ...organizations].some((value) => value.startsWith('#'))) throw new Error('a name starts with #');
  return [...(organizations.length === 0 ? [] : [{ O: [...organizations] }]), { CN: [commonName] }];
}

async function signerOf({ cert, key }: KeyPair): Promise<{
  issuer: x509.Name;
  key: CryptoKey;
  algorithm: typeof CURVE | { name: string; hash: string };
}> {
  const { privateKey, algorithm } = await importSigningKey(key);
  return { issuer: new x509.X509Certificate(cert).subjectName, key: privateKey, algorithm };
}

async function generateKeys(): Promise<CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])) as CryptoKeyPair;
}

async function exportKey(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString();
}

/** Authorities of clusters are RSA as often as ECDSA, in PKCS #1, SEC 1 or PKCS #8. */
async function importSigningKey(
  text: string,
): Promise<{ privateKey: CryptoKey; algorithm: { name: string; hash: string } }> {
  const key = createPrivateKey(text);
  const der = key.export({ type: 'pkcs8', format: 'der' });
  const algorithm =
    key.asymmetricKeyType === 'rsa'
      ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
      : { name: 'ECDSA', hash: 'SHA-256', namedCurve: curveOf(key.asymmetricKeyDetails?.namedCurve) };
  const privateKey = await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
  return { privateKey: privateKey as CryptoKey, algorithm };
}

function curveOf(name: string | undefined): string {
  if (name === 'secp384r1') return 'P-384';
  return name === 'secp521r1' ? 'P-521' : 'P-256';
}

async function importKeys(text: string): Promise<CryptoKeyPair> {
  const key = createPrivateKey(text);
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  const jwk = key.export({ format: 'jwk' });
  delete jwk.d;
  const { subtle } = webcrypto;
  const privateKey = await subtle.importKey('pkcs8', pkcs8, CURVE, true, ['sign']);
  const publicKey = await subtle.importKey('jwk', jwk, CURVE, true, ['verify']);
  return { privateKey, publicKey } as CryptoKeyPair;
}

function pem(data: { toString(format: 'pem'): string }): string {
  return `${data.toString('pem').trim()}\n`;
}
