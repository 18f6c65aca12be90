/**
 * Whether what a descriptor stands for is on a file system of this machine, found without asking that file system: one that hangs
 * (FUSE, NFS) would not answer. Source: proc(5), `/proc/PID/fdinfo` and `/proc/PID/mountinfo`.
 */
import { readFileSync } from 'node:fs';

export interface Mount {
  /** The kernel's number; another mount may get it when this one is gone and nothing on it is open. -1: not known. */
  readonly id: number;
  /** Calls on it wait for this machine's kernel and disks only. */
  readonly local: boolean;
}

/** Anything else may wait for a program or for another machine. */
const LOCAL = new Set(
  `bcachefs btrfs cramfs devtmpfs erofs exfat ext2 ext3 ext4 f2fs hugetlbfs iso9660 jfs minix nilfs2 ntfs3 overlay ramfs reiserfs
  rootfs squashfs tmpfs ubifs udf vfat xfs zfs`.split(/\s+/),
);

const known = new Map<number, { mount: Mount; users: number }>();

/** The mount that a descriptor is on; `releaseMount` when the descriptor is closed. What is not known is not local. */
export function mountOf(fd: number): Mount {
  const id = mountIdOf(fd);
  if (id === undefined) return { id: -1, local: false };
  // An open descriptor holds its mount, so its number is not another's while somebody uses it.
  const found = known.get(id) ?? { mount: { id, local: LOCAL.has(typeOf(id)) }, users: 0 };
  found.users++;
  known.set(id, found);
  return found.mount;
}

export function releaseMount({ id }: Mount): void {
  const found = known.get(id);
  if (found !== undefined && --found.users === 0) known.delete(id);
}

function mountIdOf(fd: number): number | undefined {
  const id = /^mnt_id:\s*(\d+)$/m.exec(read(`/proc/self/fdinfo/${fd}`))?.[1];
  return id === undefined ? undefined : Number(id);
}

/** Empty for a mount that was taken out of the tree. Fields: id, parent, device, root, place, options, more, a dash, type. */
function typeOf(id: number): string {
  const line = new RegExp(`^${id} .* - (\\S+) `, 'm').exec(read('/proc/self/mountinfo'));
  // A subtype follows a dot: fuse.sshfs.
  return line?.[1]?.split('.')[0] ?? '';
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** Whether a path of the host leads to a local file system, by its text alone: a link in it may lead elsewhere. */
export function mountPointOf(path: string): { readonly path: string; readonly local: boolean } {
  let best = { path: '/', local: false };
  for (const [, place = '', type = ''] of read('/proc/self/mountinfo').matchAll(
    /^\d+ \d+ \S+ \S+ (\S+) .* - (\S+) /gm,
  )) {
    const point = place.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    const beneath = point === '/' || path === point || path.startsWith(`${point}/`);
    // Of two mounts at one place the later one is seen.
    if (beneath && point.length >= best.path.length) best = { path: point, local: LOCAL.has(type.split('.')[0] ?? '') };
  }
  return best;
}
