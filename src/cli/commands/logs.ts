/** `wasmlet logs`: a container's output through the API server, which fetches it from the node. */
import { PODS, pathOf } from '#kube';
import type { Pod } from '#kube/types';
import { connectTo, refusal } from '../cluster.ts';
import type { Arguments, Context } from '../command.ts';
import { cliError } from '../errors.ts';

export async function run(context: Context, args: Arguments): Promise<number> {
  await using client = await connectTo(context, args);
  const name = (args.positionals[0] ?? '').replace(/^pods?\//, '');
  const namespace = args.value('namespace') ?? 'default';
  const search = logQuery(args);
  if (!search.has('container')) {
    const pod = await client.get<Pod>(PODS, { namespace, name }, { signal: context.signal });
    const first = pod.spec?.containers[0]?.name;
    if (first !== undefined) search.set('container', first);
  }
  const path = `${pathOf(PODS, { namespace, name, subresource: 'log' })}?${search}`;
  const answer = await client.raw(path, { signal: context.signal });
  if (answer.status !== 200) {
    throw refusal(answer.status, await answer.text(), `show the logs of pod '${name}'`);
  }
  try {
    for await (const chunk of answer.body) process.stdout.write(chunk);
  } catch (error) {
    if (!context.signal.aborted) throw error;
  }
  return 0;
}

function logQuery(args: Arguments): URLSearchParams {
  const search = new URLSearchParams();
  const set = (key: string, value: string | undefined) => value !== undefined && search.set(key, value);
  set('container', args.value('container'));
  set('follow', args.has('follow') ? 'true' : undefined);
  set('previous', args.has('previous') ? 'true' : undefined);
  set('timestamps', args.has('timestamps') ? 'true' : undefined);
  set('tailLines', args.value('tail'));
  set('limitBytes', args.value('limit-bytes'));
  set('sinceSeconds', args.value('since') === undefined ? undefined : String(secondsOf(args.value('since') ?? '')));
  return search;
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

export function secondsOf(text: string): number {
  const parts = [...text.matchAll(/(\d+)([smh])/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) {
    throw cliError('CLI_USAGE', `Cannot read the duration '${text}'`, { hint: 'Write it as 30s, 5m or 1h30m.' });
  }
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? 's'] ?? 1), 0);
}
