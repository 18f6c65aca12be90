/** A container image of one static binary, as a tar in the OCI layout that containerd imports: no registry, no builder. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Compiles the peer's hello program and packs it under each of the names. Returns the tar's path. */
export function makeImage(folder: string, names: readonly string[]): string {
  const layout = join(folder, 'layout');
  mkdirSync(join(layout, 'blobs', 'sha256'), { recursive: true });
  const root = join(folder, 'rootfs');
  mkdirSync(root, { recursive: true });
  const source = fileURLToPath(new URL('./hello.c', import.meta.url));
  execFileSync('gcc', ['-static', '-Os', '-s', '-o', join(root, 'hello'), source]);
  // The sandbox's own program goes by another name in containerd's configuration; it may be the same one.
  cpSync(join(root, 'hello'), join(root, 'pause'));
  const layerFile = join(folder, 'layer.tar');
  execFileSync('tar', ['--owner=0', '--group=0', '--mtime=@0', '-C', root, '-cf', layerFile, '.']);
  const layer = blob(layout, readFileSync(layerFile), 'application/vnd.oci.image.layer.v1.tar');
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Entrypoint: ['/hello'] },
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  };
  const configBlob = blob(layout, Buffer.from(JSON.stringify(config)), 'application/vnd.oci.image.config.v1+json');
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: configBlob,
    layers: [layer],
  };
  const described = blob(layout, Buffer.from(JSON.stringify(manifest)), manifest.mediaType);
  const manifests = names.map((name) => ({ ...described, annotations: { 'io.containerd.image.name': name } }));
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  writeFileSync(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  const tar = join(folder, 'image.tar');
  execFileSync('tar', ['-C', layout, '-cf', tar, '.']);
  return tar;
}

function blob(layout: string, bytes: Buffer, mediaType: string): Descriptor {
  const hex = createHash('sha256').update(bytes).digest('hex');
  const path = join(layout, 'blobs', 'sha256', hex);
  writeFileSync(path, bytes);
  return { mediaType, digest: `sha256:${hex}`, size: statSync(path).size };
}
