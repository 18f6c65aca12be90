/** State is written before it is promised: aside, to the disk, then in its place. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

export function writeAside(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const aside = `${path}.new`;
  const fd = openSync(aside, 'w', 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(aside, path);
}

/** One writer a path at a time. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const aside = `${path}.new`;
  const file = await open(aside, 'w', 0o600).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    await mkdir(dirname(path), { recursive: true });
    return await open(aside, 'w', 0o600);
  });
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(aside, path);
}
