/**
 * The standalone node's keys and certificates in `pki/` (docs/decisions/0004-data-directory.md): made once, renewed at a start in
 * their last month or when an address is missing. Written aside, synced and renamed; keys are readable by the owner alone.
 */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  hasKey,
  type IssueOptions,
  issueCertificate,
  type KeyPair,
  makeAuthority,
  readCertificate,
} from '#kube/certificates';

const DAY = 86_400_000;
const AUTHORITY_DAYS = 3650;
const DAYS = 365;
const RENEW_DAYS = 30;

export interface Pki {
  readonly authority: KeyPair;
  /** The API server's own. */
  readonly server: KeyPair;
  readonly admin: KeyPair;
  /** With which the API server asks nodes. */
  readonly kubeletClient: KeyPair;
  /** The standalone node's, where one was named. */
  readonly node: { readonly client: KeyPair; readonly server: KeyPair } | undefined;
  /** Signs service account tokens. */
  readonly accountKey: string;
}

export interface PkiOptions {
  readonly now: number;
  /** What the API server is reached by. */
  readonly addresses: readonly string[];
  readonly node?: { readonly name: string; readonly addresses: readonly string[] } | undefined;
}

type Wanted = Pick<IssueOptions, 'subject' | 'usages' | 'addresses' | 'names'>;

const NAMES = [
  'localhost',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
];

export async function preparePki(folder: string, { now, addresses, node }: PkiOptions): Promise<Pki> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const authority = await prepareAuthority(folder, now);
  const issue = (file: string, wanted: Wanted) => prepareLeaf(join(folder, file), wanted, { authority, now });
  const nodeSubject = { commonName: `system:node:${node?.name ?? ''}`, organizations: ['system:nodes'] };
  const [server, admin, kubeletClient, nodeClient, nodeServer] = await Promise.all([
    issue('apiserver.pem', {
      subject: { commonName: 'kube-apiserver' },
      usages: ['server auth'],
      addresses,
      names: NAMES,
    }),
    issue('admin.pem', {
      subject: { commonName: 'wasmlet-admin', organizations: ['system:masters'] },
      usages: ['client auth'],
    }),
    issue('apiserver-kubelet-client.pem', {
      subject: { commonName: 'kube-apiserver-kubelet-client', organizations: ['system:masters'] },
      usages: ['client auth'],
    }),
    node && issue('kubelet-client-current.pem', { subject: nodeSubject, usages: ['client auth'] }),
    node &&
      issue('kubelet-server-current.pem', {
        subject: nodeSubject,
        usages: ['server auth'],
        addresses: node.addresses,
        names: [node.name],
      }),
  ]);
  const own = nodeClient && nodeServer ? { client: nodeClient, server: nodeServer } : undefined;
  return { authority, server, admin, kubeletClient, node: own, accountKey: prepareAccountKey(folder) };
}

async function prepareAuthority(folder: string, now: number): Promise<KeyPair> {
  const [certPath, keyPath] = [join(folder, 'ca.crt'), join(folder, 'ca.key')];
  if (existsSync(certPath) && existsSync(keyPath)) {
    const pair = { cert: readFileSync(certPath, 'utf8'), key: readFileSync(keyPath, 'utf8') };
    if (hasKey(pair.cert, pair.key) && readCertificate(pair.cert).notAfter > now + RENEW_DAYS * DAY) return pair;
  }
  const made = await makeAuthority({ commonName: `wasmlet-ca-${randomUUID().slice(0, 8)}`, now, days: AUTHORITY_DAYS });
  writeSafely(keyPath, made.key);
  writeSafely(certPath, made.cert);
  return made;
}

interface Issuing {
  readonly authority: KeyPair;
  readonly now: number;
}

/** Certificate and key in one file, so that they are replaced together. */
async function prepareLeaf(path: string, wanted: Wanted, { authority, now }: Issuing): Promise<KeyPair> {
  const there = existsSync(path) ? splitPem(readFileSync(path, 'utf8')) : undefined;
  if (there !== undefined && isGood(there, wanted, { authority, now })) return there;
  const made = await issueCertificate({ ...wanted, now, days: DAYS }, authority);
  writeSafely(path, `${made.cert.trimEnd()}\n${made.key.trimEnd()}\n`);
  return made;
}

function isGood(pair: KeyPair, wanted: Wanted, { authority, now }: Issuing): boolean {
  if (!hasKey(pair.cert, pair.key)) return false;
  const { notAfter, issuer, addresses, subject } = readCertificate(pair.cert);
  const sameSubject = subject.commonName === wanted.subject.commonName;
  const reached = (wanted.addresses ?? []).every((address) => addresses.includes(address));
  const fromUs = issuer.includes(readCertificate(authority.cert).subject.commonName);
  return sameSubject && reached && fromUs && notAfter > now + RENEW_DAYS * DAY;
}

function splitPem(text: string): KeyPair {
  const key = text.indexOf('-----BEGIN', text.indexOf('-----END CERTIFICATE-----'));
  return { cert: text.slice(0, Math.max(0, key)), key: key < 0 ? '' : text.slice(key) };
}

function prepareAccountKey(folder: string): string {
  const path = join(folder, 'sa.key');
  if (existsSync(path)) return readFileSync(path, 'utf8');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  writeSafely(path, pem);
  return pem;
}

export function writeSafely(path: string, text: string, mode = 0o600): void {
  const aside = `${path}.${process.pid}.${randomUUID().slice(0, 8)}`;
  const fd = openSync(aside, 'wx', mode);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(aside, path);
}
