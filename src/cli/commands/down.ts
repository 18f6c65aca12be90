/** `wasmlet down`: ends the node of a data directory as Ctrl-C would, and waits until it is gone. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#kit';
import type { Arguments, Context } from '../command.ts';
import { dataDirOf } from '../data-dir.ts';
import { cliError } from '../errors.ts';
import { endSandboxes, holderOf } from '../node-process.ts';

export async function run(context: Context, args: Arguments): Promise<number> {
  const dir = dataDirOf(context, args);
  const pid = holderOf(dir);
  if (pid === undefined) {
    // A node that was killed leaves its sandboxes running; `down` means all of it.
    const ended = await endSandboxes(dir);
    context.stdout.write(
      ended === 0
        ? `no node runs on ${dir}\n`
        : `no node runs on ${dir}; ended ${ended} sandbox(es) that an earlier one left\n`,
    );
    return 0;
  }
  // A joined node keeps its guests at SIGTERM; this note, for this process alone, says that `down` means all of it.
  writeFileSync(join(dir, 'end-guests'), String(pid));
  process.kill(pid, 'SIGTERM');
  const end = systemClock.monotonic() + Number(args.value('timeout') ?? 60) * 1000;
  while (holderOf(dir) !== undefined) {
    if (systemClock.monotonic() > end) {
      throw cliError('CLI_TIMEOUT', `Cannot end the node with pid ${pid}: it still runs`, {
        hint: `Its log is ${dir}/node.log.`,
      });
    }
    await systemClock.sleep(50, { signal: context.signal });
  }
  context.stdout.write(`stopped the node with pid ${pid}; state is kept in ${dir}\n`);
  return 0;
}
