/**
 * Links in /var/log, where log agents look: `pods/<namespace>_<pod>_<uid>` and `containers/<pod>_<namespace>_<container>-<id>.log`.
 * Only a node that runs as root on its default directory makes them: two nodes of one machine would take them from each
 * other. Source: kubelet `kuberuntime/legacy.go`; agents read the names by pattern, so the id is 64 hexadecimal digits.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { WorkloadId } from '#runtime';

export interface SystemLinks {
  /** Before a container starts: its log is going to be `path`, in the pod's folder `folder`. */
  add(log: {
    readonly id: WorkloadId;
    readonly namespace: string;
    readonly pod: string;
    readonly path: string;
    readonly folder: string;
  }): Promise<void>;
  /** The logs of a pod were removed. */
  remove(pod: { readonly folderName: string; readonly logs: string }): Promise<void>;
}

const DEFAULT_DIRECTORY = '/var/lib/wasmlet';

/** undefined where no links are wanted. */
export function systemLinksFor(dataDir: string, uid: number | undefined = process.getuid?.()): SystemLinks | undefined {
  return dataDir === DEFAULT_DIRECTORY && uid === 0 ? createSystemLinks('/var/log') : undefined;
}

export function createSystemLinks(root: string): SystemLinks {
  const pods = join(root, 'pods');
  const containers = join(root, 'containers');
  return {
    async add({ id, namespace, pod, path, folder }) {
      const name = `${namespace}_${pod}_${id.podUid}`;
      await replaceLink(join(pods, name), folder);
      const hex = createHash('sha256').update(`${id.podUid}/${id.container}/${id.attempt}`).digest('hex');
      await removeBroken(containers, `${pod}_${namespace}_${id.container}-`);
      await replaceLink(join(containers, `${pod}_${namespace}_${id.container}-${hex}.log`), path);
    },
    async remove({ folderName, logs }) {
      await rm(join(pods, folderName), { force: true });
      for (const name of await readdir(containers).catch(() => [])) {
        const target = await readlink(join(containers, name)).catch(() => '');
        if (target.startsWith(`${logs}/`)) await rm(join(containers, name), { force: true });
      }
    },
  };
}

async function replaceLink(path: string, target: string): Promise<void> {
  if ((await readlink(path).catch(() => undefined)) === target) return;
  await mkdir(dirname(path), { recursive: true });
  await rm(path, { force: true });
  await symlink(target, path);
}

/** An earlier try's log is removed after a while; its link goes with the next one. */
async function removeBroken(folder: string, prefix: string): Promise<void> {
  const names = (await readdir(folder).catch(() => [])).filter(
    (name) => name.startsWith(prefix) && name.endsWith('.log'),
  );
  const old = await Promise.all(
    names.map(async (name) => ({ name, target: await readlink(join(folder, name)).catch(() => '') })),
  );
  old.sort((a, b) => attemptOf(a.target) - attemptOf(b.target));
  for (const { name } of old.slice(0, -1)) await rm(join(folder, name), { force: true });
}

function attemptOf(target: string): number {
  return Number(/\/(\d+)\.log$/.exec(target)?.[1] ?? -1);
}
