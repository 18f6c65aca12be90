/** Where a command looks for its node's state. See docs/decisions/0004-data-directory.md. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Arguments, Context } from './command.ts';

export function dataDirOf(context: Pick<Context, 'env'>, args: Arguments): string {
  const given = args.value('data-dir') ?? context.env['WASMLET_DATA_DIR'];
  if (given !== undefined && given !== '') return resolve(given);
  if (process.getuid?.() === 0) return '/var/lib/wasmlet';
  const state = context.env['XDG_STATE_HOME'];
  return join(state === undefined || state === '' ? join(homedir(), '.local', 'state') : state, 'wasmlet');
}
