/** From a kubeconfig to a client: files are read when they are needed, so that what others rotate is picked up. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '#kit';
import { kubeError } from '../errors.ts';
import { type ConnectConfig, connect, type HttpKubeClient } from '../http-client.ts';
import { type Access, accessOf, type Material, parseKubeconfig, type UserEntry } from './kubeconfig.ts';

/** How long a token file's content is believed. Source: client-go `transport/token_source.go`. */
const TOKEN_LIFE = 60_000;

export async function loadAccess(path: string, context?: string): Promise<Access> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw kubeError('KUBE_CONFIG_UNREADABLE', `Cannot read the kubeconfig '${path}'`, {
      cause,
      hint: 'Check the path, or name another file with --kubeconfig or KUBECONFIG',
    });
  }
  return accessOf(await parseKubeconfig(text, path), context);
}

/** The file that a command uses when none is named: the first of KUBECONFIG, else `~/.kube/config`. */
export function defaultKubeconfigPath(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const named = (env['KUBECONFIG'] ?? '').split(':').find((path) => path !== '');
  return named ?? join(homedir(), '.kube', 'config');
}

export function connectConfigOf(
  { cluster, user }: Access,
  { clock = systemClock }: { clock?: Clock } = {},
): ConnectConfig {
  return {
    server: cluster.server,
    ca: cluster.authority === undefined ? undefined : readMaterial(cluster.authority, 'the certificate authority'),
    serverName: cluster.serverName,
    insecureSkipVerify: cluster.insecureSkipVerify,
    identity: identityOf(user),
    token: tokenOf(user, clock),
    clock,
  };
}

export async function connectByKubeconfig(
  path: string,
  { context, clock, userAgent }: { context?: string; clock?: Clock; userAgent?: string } = {},
): Promise<HttpKubeClient> {
  const access = await loadAccess(path, context);
  return connect({ ...connectConfigOf(access, clock === undefined ? {} : { clock }), userAgent });
}

export function readMaterial(material: Material, what: string): string {
  if ('data' in material) return material.data;
  try {
    return readFileSync(material.file, 'utf8');
  } catch (cause) {
    throw kubeError('KUBE_CREDENTIALS_UNREADABLE', `Cannot read ${what} '${material.file}'`, { cause });
  }
}

function identityOf({ certificate, key }: UserEntry): ConnectConfig['identity'] {
  if (certificate === undefined || key === undefined) return undefined;
  return () => ({
    cert: readMaterial(certificate, 'the client certificate'),
    key: readMaterial(key, 'the client key'),
  });
}

/** A token in the file's own words is used before the file, as in client-go's order of precedence for `token`. */
function tokenOf({ token, tokenFile }: UserEntry, clock: Clock): ConnectConfig['token'] {
  if (tokenFile === undefined) return token === undefined ? undefined : () => token;
  let read: { text: string; at: number } | undefined;
  return () => {
    if (read === undefined || clock.monotonic() - read.at > TOKEN_LIFE) {
      read = { text: readMaterial({ file: tokenFile }, 'the token file').trim(), at: clock.monotonic() };
    }
    return read.text;
  };
}
