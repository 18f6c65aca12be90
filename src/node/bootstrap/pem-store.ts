/**
 * Certificates with their keys on disk, one file a pair (certificate first, as the kubelet writes them): written aside,
 * synced and renamed, readable by the owner only. A file that is torn, foreign or for another key counts as absent.
 */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasKey, type KeyPair } from '#kube/certificates';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g;
const KEY = /-----BEGIN (?:EC |RSA )?PRIVATE KEY-----[^-]+-----END (?:EC |RSA )?PRIVATE KEY-----\n?/;

export async function loadPair(path: string): Promise<KeyPair | undefined> {
  const text = await readText(path);
  const cert = (text?.match(CERTIFICATE) ?? []).join('');
  const key = KEY.exec(text ?? '')?.[0];
  return cert !== '' && key !== undefined && hasKey(cert, key) ? { cert, key } : undefined;
}

export async function savePair(path: string, { cert, key }: KeyPair): Promise<void> {
  await writeDurably(path, `${cert.trim()}\n${key.trim()}\n`);
}

/** Where the key of a request for the pair at `path` lies until it is answered. */
export function requestKeyPath(path: string): string {
  return `${path}.key.tmp`;
}

/** The key of a request that is under way, so that a restart asks for the same thing again. */
export async function loadKey(path: string): Promise<string | undefined> {
  return KEY.exec((await readText(path)) ?? '')?.[0];
}

export async function forget(path: string): Promise<void> {
  await rm(path, { force: true });
}

export async function writeDurably(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const aside = `${path}.new`;
  await using file = await open(aside, 'w', 0o600);
  await file.writeFile(text);
  await file.sync();
  await rename(aside, path);
  await using folder = await open(dirname(path), 'r');
  await folder.sync();
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}
