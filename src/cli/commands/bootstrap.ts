/** `wasmlet bootstrap`: with an administrator's kubeconfig, the file that a machine joins with. */
import { hostname } from 'node:os';
import { systemClock } from '#kit';
import { connectByKubeconfig, loadAccess } from '#kube';
import { createBootstrap } from '#node';
import type { Arguments, Context } from '../command.ts';
import { cliError } from '../errors.ts';

export async function run(context: Context, args: Arguments): Promise<number> {
  const path = args.value('kubeconfig');
  if (path === undefined)
    throw cliError('CLI_USAGE', "Cannot run 'bootstrap': it needs --kubeconfig FILE of an administrator");
  const ttl = args.value('ttl');
  await using client = await connectByKubeconfig(path);
  const result = await createBootstrap({
    client,
    access: await loadAccess(path),
    now: systemClock.now(),
    hours: ttl === undefined ? undefined : Number(ttl),
    signal: context.signal,
  });
  const output = args.value('output');
  if (output === undefined) context.stdout.write(result.kubeconfig);
  else process.getBuiltinModule('node:fs').writeFileSync(output, result.kubeconfig, { mode: 0o600 });
  const name = args.value('node-name') ?? hostname().toLowerCase();
  const file = output ?? 'FILE';
  context.stderr.write(
    `The token is good until ${result.expires}.\nOn the machine:     wasmlet join --bootstrap-kubeconfig ${file} --node-name ${name}\nThen approve here:  ${result.approve}\n`,
  );
  return 0;
}
