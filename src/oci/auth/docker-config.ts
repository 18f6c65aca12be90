/** Where a person's or a machine's own credentials lie: Docker's and Podman's files, the first that has the registry. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Reference } from '../reference.ts';
import { type Credential, lookupExact, readDockerConfig } from './keyring.ts';

const MAX_FILE = 1 << 20;

type Environment = Readonly<Record<string, string | undefined>>;

/** In the order in which `docker` and `podman` would look. */
export function dockerConfigPaths(env: Environment): string[] {
  const docker = env['DOCKER_CONFIG'] ?? join(env['HOME'] ?? homedir(), '.docker');
  const runtime = env['XDG_RUNTIME_DIR'];
  return [
    ...(env['REGISTRY_AUTH_FILE'] === undefined ? [] : [env['REGISTRY_AUTH_FILE']]),
    join(docker, 'config.json'),
    ...(runtime === undefined ? [] : [join(runtime, 'containers', 'auth.json')]),
  ];
}

/** The credential for a registry, undefined if there is none; a broken file is OCI_BAD_CREDENTIALS. */
export async function credentialFromFiles(
  reference: Reference,
  paths: readonly string[],
): Promise<Credential | undefined> {
  for (const path of paths) {
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === undefined || text.length > MAX_FILE) continue;
    const found = lookupExact(readDockerConfig(text, path), reference);
    if (found !== undefined) return found;
  }
  return undefined;
}
