/** From a module to an artifact in a registry. Who calls: `wasmlet push`. */
import { type Clock, systemClock } from '#kit';
import { type Artifact, type ArtifactOptions, artifactOf, type Part } from './artifact.ts';
import type { Credential } from './auth/keyring.ts';
import { ociError } from './errors.ts';
import type { Timeouts } from './http/failure.ts';
import { HttpClient, type Upload } from './http/request.ts';
import { authoritiesOf } from './http/trust.ts';
import { formatReference, type Reference, withDigest } from './reference.ts';
import { RegistryClient } from './registry.ts';

export interface PushOptions extends ArtifactOptions {
  readonly credential?: Credential | undefined;
  readonly insecureRegistries?: readonly string[];
  readonly clock?: Clock;
  readonly timeouts?: Partial<Timeouts>;
  readonly certsDirs?: readonly string[];
  /** Bytes of a piece; blobs beyond go up in pieces of this size. Some registries bound one request's body. */
  readonly chunk?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Pushed {
  readonly reference: string;
  /** The same by its digest. */
  readonly id: string;
  readonly digest: string;
  /** Bytes of module, configuration and manifest. */
  readonly size: number;
}

const CHUNK = 64 << 20;
const SLICE = 1 << 20;

export async function pushModule(module: Uint8Array, reference: Reference, options: PushOptions): Promise<Pushed> {
  if (reference.digest !== undefined) {
    throw ociError('OCI_BAD_REFERENCE', `Cannot push to '${formatReference(reference)}': it names a digest`, {
      hint: 'The digest follows from what is pushed: name a tag',
    });
  }
  const artifact = artifactOf(module, options);
  const { clock = systemClock, timeouts = {}, certsDirs, insecureRegistries = [], credential, signal } = options;
  using http = new HttpClient({ clock, timeouts, authorities: (host) => authoritiesOf(host, certsDirs) });
  const { registry, repository } = reference;
  const client = new RegistryClient({
    http,
    clock,
    trust: { insecure: insecureRegistries },
    registry,
    repository,
    credential,
  });
  for (const part of [artifact.module, artifact.config]) {
    if (!(await client.hasBlob(part.digest, signal)))
      await pushBlob(client, part, { chunk: options.chunk ?? CHUNK, signal });
  }
  await pushManifest(client, { artifact, reference, signal });
  const parts = [artifact.module, artifact.config, artifact.manifest];
  return {
    reference: formatReference(reference),
    id: formatReference(withDigest(reference, artifact.manifest.digest)),
    digest: artifact.manifest.digest,
    size: parts.reduce((sum, part) => sum + part.bytes.length, 0),
  };
}

/** POST for a place, PATCH for each full piece when there are several, PUT for the rest. */
async function pushBlob(
  client: RegistryClient,
  { bytes, digest }: Part,
  { chunk, signal }: { chunk: number; signal: AbortSignal | undefined },
): Promise<void> {
  const what = `blob ${digest}`;
  const start = {
    method: 'POST' as const,
    url: await client.urlOf('blobs/uploads/'),
    upload: uploadOf(new Uint8Array()),
  };
  let location = client.locationOf(await drained(client.upload(start, { expected: 202, what, signal })));
  let sent = 0;
  while (bytes.length - sent > chunk) {
    const piece = bytes.subarray(sent, sent + chunk);
    const headers = {
      'content-type': 'application/octet-stream',
      'content-range': `${sent}-${sent + piece.length - 1}`,
    };
    const patch = { method: 'PATCH' as const, url: location, headers, upload: uploadOf(piece) };
    location = client.locationOf(await drained(client.upload(patch, { expected: 202, what, signal })));
    sent += piece.length;
  }
  const rest = bytes.subarray(sent);
  const range: Record<string, string> = sent > 0 ? { 'content-range': `${sent}-${bytes.length - 1}` } : {};
  const url = new URL(location);
  url.searchParams.set('digest', digest);
  const headers = { 'content-type': 'application/octet-stream', ...range };
  await drained(
    client.upload({ method: 'PUT', url, headers, upload: uploadOf(rest) }, { expected: 201, what, signal }),
  );
}

async function pushManifest(
  client: RegistryClient,
  { artifact, reference, signal }: { artifact: Artifact; reference: Reference; signal: AbortSignal | undefined },
): Promise<void> {
  const { bytes, mediaType, digest } = artifact.manifest;
  const url = await client.urlOf(`manifests/${reference.tag ?? 'latest'}`);
  const headers = { 'content-type': mediaType };
  const put = { method: 'PUT' as const, url, headers, upload: uploadOf(bytes) };
  const response = await drained(client.upload(put, { expected: 201, what: 'the manifest', signal }));
  const said = response.header('docker-content-digest');
  if (said !== undefined && said !== digest) {
    throw ociError(
      'OCI_WRONG_DIGEST',
      `Cannot push ${formatReference(reference)}: the registry keeps ${said} where ${digest} was sent`,
    );
  }
}

async function drained(sent: ReturnType<RegistryClient['upload']>): ReturnType<RegistryClient['upload']> {
  const response = await sent;
  await response.body.discard();
  return response;
}

function uploadOf(bytes: Uint8Array): Upload {
  return {
    length: bytes.length,
    async *open() {
      for (let at = 0; at < bytes.length; at += SLICE) yield bytes.subarray(at, at + SLICE);
    },
  };
}
