import { readFile } from 'node:fs/promises';
import { nodeError } from '../errors.ts';

/**
 * Who vouches for callers of the node's API: the file that was given, else the cluster's authority from the kubeconfig
 * (the API server's own ConfigMap with it may not be read by nodes).
 */
export async function readClientAuthority(
  file: string | undefined,
  fallback: string | undefined,
): Promise<string | undefined> {
  if (file === undefined) return fallback;
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw nodeError('NODE_OPTION_INVALID', `Cannot read --client-ca-file '${file}'`, { cause });
  });
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw nodeError('NODE_OPTION_INVALID', `Cannot use --client-ca-file '${file}': no certificate in PEM`);
}
