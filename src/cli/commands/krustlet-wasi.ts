/** `wasmlet krustlet-wasi`: `join` for service files and scripts that were written for Krustlet (docs/krustlet.md). */
import { existsSync, readFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { VERSION } from '#kit';
import { KRUSTLET_FLAGS, krustletConfigPath, krustletOptions } from '#node';
import type { Arguments, Context } from '../command.ts';
import { serve } from './join.ts';

export async function run(context: Context, args: Arguments): Promise<number> {
  if (args.positionals.includes('--help') || args.positionals.includes('-h')) {
    context.stdout.write(
      `usage: wasmlet krustlet-wasi [FLAGS], as Krustlet's own (docs/krustlet.md)\n  ${Object.keys(KRUSTLET_FLAGS)
        .map((flag) => `--${flag}`)
        .join('\n  ')}\n`,
    );
    return 0;
  }
  const home = homedir();
  const path = krustletConfigPath(home);
  const { options, warnings } = krustletOptions({
    args: args.positionals,
    env: context.env,
    config: existsSync(path) ? readFileSync(path, 'utf8') : undefined,
    home,
    hostname: hostname(),
    exists: existsSync,
  });
  for (const warning of warnings) context.log.warn(warning);
  return serve(context, { ...options, version: VERSION, log: context.log, signal: context.signal });
}
