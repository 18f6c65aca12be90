/**
 * Whether a node that was told to stop ends its guests too. A joined node keeps them: it is being restarted or upgraded.
 * Two things say otherwise: the machine itself goes down, and `wasmlet down`, which leaves a note for this process.
 * The table of all cases is in docs/what-ends-guests.md.
 */
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** The note of `wasmlet down` in the data directory: the pid of the node that it is for. */
export const END_NOTE = 'end-guests';

export type AskSystemd = () => Promise<string>;

export async function endingOf(
  wanted: 'keep' | 'end',
  { dataDir, ask = askSystemd }: { dataDir: string; ask?: AskSystemd },
): Promise<'keep' | 'end'> {
  if (wanted === 'end' || (await takeNote(dataDir))) return 'end';
  return (await ask()) === 'stopping' ? 'end' : 'keep';
}

async function takeNote(dataDir: string): Promise<boolean> {
  const path = join(dataDir, END_NOTE);
  const note = await readFile(path, 'utf8').catch(() => undefined);
  if (note === undefined) return false;
  await rm(path, { force: true });
  // One that was left for an earlier process, which died before it read it, says nothing to this one.
  return note.trim() === String(process.pid);
}

/** The state of the system manager; '' where there is none. Source: systemctl(1), `is-system-running`. */
function askSystemd(): Promise<string> {
  return new Promise((resolve) => {
    execFile('systemctl', ['is-system-running'], { timeout: 2_000 }, (_, stdout) =>
      resolve(String(stdout ?? '').trim()),
    );
  });
}
