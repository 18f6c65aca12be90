/**
 * What a restarted node must know of a pod: `node/checkpoint/<uid>.json`, written before a guest is started, so that no
 * restart counts twice and no guest runs twice. Another version's file is left alone and its pod is taken as new.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '#kit';
import type { Pod } from '#kube/types';
import type { ContainerObserved, Observed } from './decide/observed.ts';
import { writeDurably } from './files.ts';

const VERSION = 1;
const MAX_BYTES = 8 * 1024 * 1024;

export interface Checkpoint {
  readonly pod: Pod;
  readonly observed: Observed;
}

type Stored = Omit<Observed, 'containers'> & { readonly containers: Readonly<Record<string, ContainerObserved>> };

export async function writeCheckpoint(path: string, { pod, observed }: Checkpoint): Promise<void> {
  const stored: Stored = { ...observed, containers: Object.fromEntries(observed.containers) };
  const { managedFields: _, ...metadata } = pod.metadata ?? {};
  await writeDurably(path, JSON.stringify({ version: VERSION, pod: { ...pod, metadata }, observed: stored }));
}

export async function removeCheckpoint(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** Every checkpoint that can be read; what cannot is told and skipped. */
export async function readCheckpoints(dataDir: string, log: Log): Promise<Checkpoint[]> {
  const folder = join(dataDir, 'node', 'checkpoint');
  const found: Checkpoint[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    if (!name.endsWith('.json')) {
      await rm(path, { force: true });
      continue;
    }
    try {
      found.push(parse(await readFile(path, 'utf8'), name.slice(0, -'.json'.length)));
    } catch (error) {
      log.warn('a checkpoint cannot be read; its pod is taken as new', { path, error });
    }
  }
  return found;
}

function parse(text: string, uid: string): Checkpoint {
  if (text.length > MAX_BYTES) throw new RangeError('too long');
  const value = JSON.parse(text) as { version?: unknown; pod?: Pod; observed?: Stored };
  const { version, pod, observed } = value;
  if (version !== VERSION) throw new RangeError(`version ${String(version)} is not ${VERSION}`);
  const lifecycles = ['syncing', 'terminating', 'terminated'];
  if (pod?.metadata?.uid !== uid || !Array.isArray(pod.spec?.containers)) throw new TypeError('no pod of that uid');
  if (observed === undefined || !lifecycles.includes(observed.lifecycle) || typeof observed.containers !== 'object') {
    throw new TypeError('no state of the pod');
  }
  return { pod, observed: { ...observed, containers: new Map(Object.entries(observed.containers)) } };
}
