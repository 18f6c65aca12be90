/** `wasmlet completion`: prints the script for one shell. */
import type { Arguments, Context } from '../command.ts';
import { COMMANDS } from '../commands.ts';
import { completionScript, SHELLS } from '../completion.ts';
import { cliError } from '../errors.ts';

export async function run(context: Context, args: Arguments): Promise<number> {
  const shell = SHELLS.find((name) => name === args.positionals[0]);
  if (shell === undefined) {
    throw cliError('CLI_USAGE', `Cannot complete for '${args.positionals[0]}'`, {
      hint: `one of ${SHELLS.join(', ')}`,
    });
  }
  context.stdout.write(completionScript(shell, COMMANDS));
  return 0;
}
