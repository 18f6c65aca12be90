/**
 * Certificates of the tests, by the openssl command: an independent party, so that a mistake in our own certificate code
 * cannot agree with itself.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { need, run } from './command.ts';

export interface KeyPair {
  /** Paths of PEM files. */
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateRequest {
  /** The files' name. */
  readonly name: string;
  readonly commonName: string;
  readonly organization?: string;
  /** As openssl writes them: `DNS:localhost`, `IP:127.0.0.1`. None makes a client's certificate. */
  readonly subjectAltNames?: readonly string[];
}

const DAYS = '7';

export async function makeAuthority(dir: string, name: string): Promise<KeyPair> {
  const extensions = ['basicConstraints=critical,CA:true', 'keyUsage=critical,keyCertSign,cRLSign,digitalSignature'];
  return await request(dir, { name, commonName: name, extensions });
}

/** A server's certificate when there are names to put in it, else a client's. */
export async function issue(dir: string, authority: KeyPair, wanted: CertificateRequest): Promise<KeyPair> {
  const { subjectAltNames = [] } = wanted;
  const server = subjectAltNames.length > 0;
  const extensions = [
    'basicConstraints=critical,CA:false',
    'keyUsage=critical,digitalSignature',
    `extendedKeyUsage=${server ? 'serverAuth' : 'clientAuth'}`,
    ...(server ? [`subjectAltName=${subjectAltNames.join(',')}`] : []),
  ];
  return await request(dir, { ...wanted, extensions, authority });
}

/** A key pair without a certificate, for signing tokens. */
export async function makeKeyPair(dir: string, name: string): Promise<{ publicKey: string; key: string }> {
  const pair = { publicKey: join(dir, `${name}.pub`), key: join(dir, `${name}.key`) };
  await openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', pair.key);
  await openssl('pkey', '-in', pair.key, '-pubout', '-out', pair.publicKey);
  return pair;
}

interface Request {
  readonly name: string;
  readonly commonName: string;
  readonly organization?: string | undefined;
  readonly extensions: readonly string[];
  readonly authority?: KeyPair;
}

async function request(
  dir: string,
  { name, commonName, organization, extensions, authority }: Request,
): Promise<KeyPair> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const pair = { certificate: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) };
  const subject = `${organization === undefined ? '' : `/O=${organization}`}/CN=${commonName}`;
  await openssl(
    ...[
      'req',
      '-x509',
      '-config',
      await emptyConfiguration(dir),
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
    ],
    ...['-nodes', '-days', DAYS, '-subj', subject, '-out', pair.certificate, '-keyout', pair.key],
    ...(authority === undefined ? [] : ['-CA', authority.certificate, '-CAkey', authority.key]),
    ...extensions.flatMap((extension) => ['-addext', extension]),
  );
  return pair;
}

/** The system's own would add extensions of its own. */
async function emptyConfiguration(dir: string): Promise<string> {
  const path = join(dir, 'openssl.cnf');
  await writeFile(path, '[req]\ndistinguished_name = dn\n[dn]\n');
  return path;
}

async function openssl(...args: string[]): Promise<void> {
  await run([need('openssl'), ...args]);
}
