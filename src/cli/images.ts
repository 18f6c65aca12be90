/** Images for commands that need no node: from the data directory's store, else pulled with the person's own credentials. */
import { join } from 'node:path';
import {
  ContentStore,
  credentialFromFiles,
  dockerConfigPaths,
  localImage,
  Puller,
  parseReference,
  type WorkloadImage,
} from '#oci';
import type { Arguments, Context } from './command.ts';
import { dataDirOf } from './data-dir.ts';

export function openStore(context: Context, args: Arguments): Promise<ContentStore> {
  return ContentStore.open(join(dataDirOf(context, args), 'content'));
}

/** The image as the store has it; pulled if it has not. */
export async function imageFor(context: Context, args: Arguments, text: string): Promise<WorkloadImage> {
  const reference = parseReference(text);
  const store = await openStore(context, args);
  const known = await localImage(store, reference);
  if (known !== undefined) return known;
  using puller = new Puller({ store, insecureRegistries: args.values('insecure-registry') });
  const credential = await credentialFromFiles(reference, dockerConfigPaths(context.env));
  return puller.pull(reference, { credentials: credential === undefined ? [] : [credential], signal: context.signal });
}
