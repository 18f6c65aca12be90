/** `wasmlet apply`: server-side apply of manifests, in the order in which they stand. */
import type { KubeClient } from '#kube';
import type { KubeObject } from '#kube/types';
import { connectTo, describeObject, resourceOfManifest } from '../cluster.ts';
import type { Arguments, Context } from '../command.ts';
import { cliError } from '../errors.ts';
import { EXIT, exitCodeOf, printError } from '../exit.ts';
import { type Manifest, readManifests } from '../manifests.ts';

export const FIELD_MANAGER = 'wasmlet';

export async function run(context: Context, args: Arguments): Promise<number> {
  const paths = args.values('filename');
  if (paths.length === 0)
    throw cliError('CLI_USAGE', "Cannot run 'apply': nothing to apply", {
      hint: 'usage: wasmlet apply -f FILE|DIR|URL|-',
    });
  const manifests = await readManifests(paths, { signal: context.signal });
  await using client = await connectTo(context, args);
  const options = { namespace: args.value('namespace'), force: args.has('force-conflicts'), signal: context.signal };
  let code: number = EXIT.done;
  for (const manifest of manifests) {
    try {
      context.stdout.write(`${await applyOne(client, manifest, options)}\n`);
    } catch (error) {
      // As kubectl: what one object lacks does not keep the others out. Where nobody answers, none of them would go in.
      if (context.signal.aborted || exitCodeOf(error) === EXIT.unreachable) throw error;
      printError(context.stderr, error);
      code ||= exitCodeOf(error);
    }
  }
  return code;
}

export interface ApplyOptions {
  readonly namespace?: string | undefined;
  readonly force?: boolean;
  readonly signal: AbortSignal;
}

/** Applies one manifest and says what came of it, as `pod/hello created`. */
export async function applyOne(
  client: KubeClient,
  { object, origin }: Manifest,
  options: ApplyOptions,
): Promise<string> {
  const resource = await resourceOfManifest(client, object, options.signal);
  const name = object.metadata?.name;
  if (name === undefined)
    throw cliError('CLI_BAD_MANIFEST', `Cannot apply ${origin}: apply needs metadata.name, not generateName`);
  const namespace = resource.namespaced ? (object.metadata?.namespace ?? options.namespace ?? 'default') : undefined;
  const before = await resourceVersionOf(client, { resource, namespace, name, signal: options.signal });
  const after = await client.patch<KubeObject>(
    resource,
    { namespace, name },
    { type: 'apply', body: object, ...(options.force === true ? { force: true } : {}) },
    { fieldManager: FIELD_MANAGER, fieldValidation: 'Strict', signal: options.signal },
  );
  return `${describeObject(resource, name)} ${outcome(before, after.metadata?.resourceVersion)}`;
}

function outcome(before: string | undefined, after: string | undefined): string {
  if (before === undefined) return 'created';
  return before === after ? 'unchanged' : 'configured';
}

interface Which {
  readonly resource: Parameters<KubeClient['get']>[0];
  readonly namespace: string | undefined;
  readonly name: string;
  readonly signal: AbortSignal;
}

async function resourceVersionOf(
  client: KubeClient,
  { resource, namespace, name, signal }: Which,
): Promise<string | undefined> {
  const { items } = await client.list(resource, { namespace, fieldSelector: `metadata.name=${name}`, signal });
  return items[0]?.metadata?.resourceVersion;
}
