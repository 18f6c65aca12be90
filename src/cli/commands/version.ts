/** `wasmlet version`: ours, Node's, V8's. */
import { VERSION } from '#kit';
import type { Arguments, Context } from '../command.ts';

export async function run(context: Context, args: Arguments): Promise<number> {
  const versions = { wasmlet: VERSION, kubernetes: 'v1.35', node: process.versions.node, v8: process.versions.v8 };
  const text =
    args.value('output') === 'json'
      ? JSON.stringify(versions)
      : Object.entries(versions)
          .map(([name, version]) => `${name.padEnd(11)} ${version}`)
          .join('\n');
  context.stdout.write(`${text}\n`);
  return 0;
}
