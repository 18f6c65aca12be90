/** `wasmlet delete`: by kind and name, or by manifest; waits until the objects are gone. */

import { systemClock } from '#kit';
import type { KubeClient, Resource } from '#kube';
import { connectTo, describeObject, resourceOfManifest, resourceOfWord } from '../cluster.ts';
import type { Arguments, Context } from '../command.ts';
import { cliError } from '../errors.ts';
import { readManifests } from '../manifests.ts';

interface Victim {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string;
}

export async function run(context: Context, args: Arguments): Promise<number> {
  await using client = await connectTo(context, args);
  const victims = await victimsOf(context, client, args);
  const grace = args.value('grace-period');
  const uids: (string | undefined)[] = [];
  for (const { resource, namespace, name } of victims) {
    const answer = await client.delete(
      resource,
      { namespace, name },
      { ...(grace === undefined ? {} : { gracePeriodSeconds: Number(grace) }), signal: context.signal },
    );
    uids.push(answer.metadata?.uid);
    context.stdout.write(`${describeObject(resource, name)} deleted\n`);
  }
  if (args.value('wait') === 'false') return 0;
  return await waitUntilGone(context, client, { victims, timeoutMs: Number(args.value('timeout') ?? 120) * 1000 });
}

async function victimsOf(context: Context, client: KubeClient, args: Arguments): Promise<Victim[]> {
  const [word, ...names] = args.positionals;
  const files = args.values('filename');
  const given = args.value('namespace');
  if (
    (word === undefined) === (files.length === 0) ||
    (word !== undefined && names.length === 0 && !word.includes('/'))
  ) {
    throw cliError('CLI_USAGE', "Cannot run 'delete': say what", {
      hint: 'usage: wasmlet delete KIND NAME… | -f FILE',
    });
  }
  if (word !== undefined) {
    const [kind = '', inline] = word.split('/');
    const resource = await resourceOfWord(client, kind, context.signal);
    const namespace = resource.namespaced ? (given ?? 'default') : undefined;
    return [...(inline === undefined ? [] : [inline]), ...names].map((name) => ({ resource, namespace, name }));
  }
  const victims: Victim[] = [];
  for (const { object } of await readManifests(files, { signal: context.signal })) {
    const resource = await resourceOfManifest(client, object, context.signal);
    const namespace = resource.namespaced ? (object.metadata?.namespace ?? given ?? 'default') : undefined;
    victims.push({ resource, namespace, name: object.metadata?.name ?? '' });
  }
  return victims.reverse();
}

async function waitUntilGone(
  context: Context,
  client: KubeClient,
  { victims, timeoutMs }: { victims: readonly Victim[]; timeoutMs: number },
): Promise<number> {
  const end = systemClock.monotonic() + timeoutMs;
  for (const { resource, namespace, name } of victims) {
    for (;;) {
      const { items } = await client.list(resource, {
        namespace,
        fieldSelector: `metadata.name=${name}`,
        signal: context.signal,
      });
      if (items.length === 0) break;
      if (systemClock.monotonic() > end) {
        throw cliError(
          'CLI_TIMEOUT',
          `Cannot see the end of ${describeObject(resource, name)}: it is still there after ${timeoutMs / 1000} s`,
        );
      }
      await systemClock.sleep(100, { signal: context.signal });
    }
  }
  return 0;
}
