/** `wasmlet pull`: an image's module as a file. Verified beside the file first, so that it is never there by half. */
import { mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ContentStore, credentialFromFiles, dockerConfigPaths, Puller, parseReference } from '#oci';
import type { Arguments, Context } from '../command.ts';
import { cliError } from '../errors.ts';

export async function run(context: Context, args: Arguments): Promise<number> {
  const [text = ''] = args.positionals;
  const output = args.value('output');
  if (output === undefined || output === '') {
    throw cliError('CLI_USAGE', `Cannot pull '${text}': no file is named`, { hint: 'Add -o FILE' });
  }
  const reference = parseReference(text);
  const target = resolve(output);
  const aside = await makeAside(target);
  try {
    const store = await ContentStore.open(aside);
    using puller = new Puller({ store, insecureRegistries: args.values('insecure-registry') });
    const credential = await credentialFromFiles(reference, dockerConfigPaths(context.env));
    const credentials = credential === undefined ? [] : [credential];
    const image = await puller.pull(reference, { credentials, signal: context.signal });
    const { size } = await stat(image.modulePath);
    await rename(image.modulePath, target);
    context.stdout.write(`Pulled ${image.reference} to ${output}\n${image.digest} (${size} bytes, ${image.flavour})\n`);
    return 0;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** A folder on the same file system as the target. */
async function makeAside(target: string): Promise<string> {
  try {
    return await mkdtemp(join(dirname(target), `.${basename(target)}.`));
  } catch (cause) {
    throw cliError('CLI_NOT_FOUND', `Cannot write '${target}': its folder can't be written`, { cause });
  }
}
