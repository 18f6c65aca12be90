/** The one table of volume types. Another one is a row here and a file or function beside. */
import { createHash } from 'node:crypto';
import type { Volume, VolumeProjection } from '#kube/types';
import { podError } from '../pod/errors.ts';
import { type Payload, writeAtomically } from './atomic-writer.ts';
import type { VolumeContext, VolumeResult, VolumeType } from './contract.ts';
import { configMapFiles, downwardFiles, type Part, secretFiles, tokenFiles } from './sources.ts';
import { forgetTokens } from './token.ts';

const DEFAULT_MODE = 0o644;

const emptyDir: VolumeType = {
  field: 'emptyDir',
  plugin: 'empty-dir',
  // medium Memory is a directory too: a guest sees no difference, and a tmpfs would need a right.
  async setUp({ path, tree }) {
    tree.makeFolderWith(path, 0o777);
    return {};
  },
};

const configMap = written('configMap', 'configmap', async (context) => {
  const { defaultMode = DEFAULT_MODE, ...source } = context.volume.configMap ?? {};
  return [await configMapFiles(context, source, defaultMode)];
});

const secret = written('secret', 'secret', async (context) => {
  const { defaultMode = DEFAULT_MODE, secretName, ...source } = context.volume.secret ?? {};
  return [
    await secretFiles(context, { ...source, ...(secretName === undefined ? {} : { name: secretName }) }, defaultMode),
  ];
});

const downwardAPI = written('downwardAPI', 'downward-api', async (context) => {
  const { defaultMode = DEFAULT_MODE, ...source } = context.volume.downwardAPI ?? {};
  return [downwardFiles(context, source, defaultMode)];
});

const projected = written('projected', 'projected', async (context) => {
  const { defaultMode = DEFAULT_MODE, sources = [] } = context.volume.projected ?? {};
  const parts: Part[] = [];
  for (const source of sources) parts.push(await projectedPart(context, source, defaultMode));
  return parts;
});

export const VOLUME_TYPES: readonly VolumeType[] = [emptyDir, configMap, secret, downwardAPI, projected];

/** The type of a volume, or an error that names what it is and what there is. */
export function volumeTypeOf(volume: Volume): VolumeType {
  const type = VOLUME_TYPES.find(({ field }) => volume[field] !== undefined);
  if (type !== undefined) return type;
  const field = Object.keys(volume).find((key) => key !== 'name');
  // A volume that names no source is an emptyDir. Source: pkg/apis/core/v1/defaults.go SetDefaults_Volume.
  if (field === undefined) return emptyDir;
  const known = VOLUME_TYPES.map((one) => one.field).join(', ');
  throw podError('POD_VOLUME_UNSUPPORTED', `volume type "${field}" is not supported by this node, which has ${known}`);
}

async function projectedPart(context: VolumeContext, source: VolumeProjection, mode: number): Promise<Part> {
  if (source.configMap !== undefined) return configMapFiles(context, source.configMap, mode);
  if (source.secret !== undefined) return secretFiles(context, source.secret, mode);
  if (source.downwardAPI !== undefined) return downwardFiles(context, source.downwardAPI, mode);
  if (source.serviceAccountToken !== undefined) return tokenFiles(context, source.serviceAccountToken, mode);
  const field = Object.keys(source)[0] ?? 'nothing';
  const known = 'configMap, downwardAPI, secret, serviceAccountToken';
  throw podError(
    'POD_VOLUME_UNSUPPORTED',
    `projected source "${field}" is not supported by this node, which has ${known}`,
  );
}

/** What this process has written last, by volume: thousands of pods whose contents did not change need not be read each minute. */
const current = new Map<string, { readonly signature: string; readonly at: number }>();
/** Milliseconds after which what is on the disk is looked at all the same. */
const LOOK_AGAIN = 600_000;

async function writeIfNew({ path, tree, clock }: VolumeContext, files: ReadonlyMap<string, Payload>): Promise<void> {
  const now = clock.now();
  const hash = createHash('sha256');
  for (const [name, { content, mode }] of files) hash.update(`${name}\0${mode}\0${content.length}\0`).update(content);
  const signature = hash.digest('base64');
  const before = current.get(path);
  if (before?.signature === signature && now - before.at < LOOK_AGAIN && now >= before.at) return;
  await writeAtomically({ tree, path }, files, now);
  current.set(path, { signature, at: now });
}

function written(
  field: keyof Volume,
  plugin: string,
  parts: (context: VolumeContext) => Promise<readonly Part[]>,
): VolumeType {
  return {
    field,
    plugin,
    async setUp(context): Promise<VolumeResult> {
      const files = new Map<string, Payload>();
      let refreshAt: number | undefined;
      for (const part of await parts(context)) {
        for (const [path, payload] of part.files) files.set(path, payload);
        if (part.refreshAt !== undefined) refreshAt = Math.min(part.refreshAt, refreshAt ?? Number.POSITIVE_INFINITY);
      }
      await writeIfNew(context, files);
      return { refreshAt };
    },
    async tearDown(path) {
      forgetTokens(path);
      current.delete(path);
    },
  };
}
