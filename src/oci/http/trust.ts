/**
 * Where bytes may go in the clear, and where a registry may send us. Plain http is for this machine and for registries that
 * were named; a registry elsewhere can't send us to this machine's own services.
 */
import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ociError } from '../errors.ts';

export function isLoopback(url: URL): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

export interface Trust {
  /** Hosts with port, or without for any port, that may be asked over plain http. */
  readonly insecure: readonly string[];
}

export function mayBePlain(url: URL, { insecure }: Trust): boolean {
  return isLoopback(url) || insecure.includes(url.host) || insecure.includes(url.hostname);
}

/** Throws where `from`, which we chose to ask, must not send us to `to`. */
export function checkTarget(from: URL, to: URL, trust: Trust): void {
  if (to.protocol !== 'https:' && to.protocol !== 'http:') {
    throw badRedirect(from, `it names '${to.protocol}' where https is meant`);
  }
  if (to.protocol === 'http:' && !mayBePlain(to, trust)) {
    throw badRedirect(from, `it leads to plain http at ${to.host}`);
  }
  if (isLoopback(to) && !isLoopback(from)) throw badRedirect(from, `it leads to this machine's own ${to.host}`);
  if (to.username !== '' || to.password !== '') throw badRedirect(from, 'it carries credentials');
}

export function badRedirect(from: URL, state: string): Error {
  return ociError('OCI_BAD_REDIRECT', `Cannot follow registry ${from.host}: ${state}`, {
    hint: 'The registry is misconfigured, or something stands between; plain http has to be allowed with --insecure-registry',
  });
}

const CERTS_DIRS = ['/etc/docker/certs.d', '/etc/containers/certs.d', join(homedir(), '.config/containers/certs.d')];
const MAX_PEM = 1 << 20;

/** The authorities for a host where Docker and Podman users put them. Source: docs.docker.com `engine/security/certificates`. */
export async function authoritiesOf(host: string, dirs: readonly string[] = CERTS_DIRS): Promise<readonly string[]> {
  if (!/^[\w.:[\]-]+$/.test(host)) return [];
  const found: string[] = [];
  for (const dir of dirs) {
    const names = await readdir(join(dir, host)).catch(() => []);
    for (const name of names.filter((name) => name.endsWith('.crt')).slice(0, 16)) {
      const pem = await readFile(join(dir, host, name), 'utf8').catch(() => '');
      if (pem !== '' && pem.length < MAX_PEM) found.push(pem);
    }
  }
  return found;
}
