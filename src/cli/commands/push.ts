/** `wasmlet push`: a module becomes an artifact in a registry, or an image of this machine's own store. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { credentialFromFiles, dockerConfigPaths, importModule, parseReference, pushModule } from '#oci';
import type { Arguments, Context } from '../command.ts';
import { cliError } from '../errors.ts';
import { openStore } from '../images.ts';

export async function run(context: Context, args: Arguments): Promise<number> {
  const [file = '', text = ''] = args.positionals;
  const reference = parseReference(text);
  const module = await readModule(file);
  const format = args.value('format') === 'wasm-to-oci' ? 'wasm-to-oci' : 'cncf';
  const title = basename(file);
  if (args.has('local')) {
    const image = await importModule(await openStore(context, args), module, { reference: text, format, title });
    return print(context, args, { verb: 'Kept', ...image });
  }
  const pushed = await pushModule(module, reference, {
    format,
    title,
    created: createdAt(context),
    credential: await credentialFromFiles(reference, dockerConfigPaths(context.env)),
    insecureRegistries: args.values('insecure-registry'),
    signal: context.signal,
  });
  return print(context, args, { verb: 'Pushed', ...pushed });
}

interface Result {
  readonly verb: string;
  readonly reference: string;
  readonly id: string;
  readonly digest: string;
  readonly size: number;
}

function print(context: Context, args: Arguments, { verb, reference, id, digest, size }: Result): number {
  const json = args.value('output') === 'json';
  const text = json
    ? JSON.stringify({ reference, id, digest, size })
    : `${verb} ${reference}\n${digest} (${size} bytes)`;
  context.stdout.write(`${text}\n`);
  return 0;
}

async function readModule(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw cliError('CLI_NOT_FOUND', `Cannot push '${file}': it can't be read`, { cause });
  }
}

/** Builds that have to come out the same set this. Source: reproducible-builds.org `specs/source-date-epoch`. */
function createdAt({ env }: Context): number {
  const epoch = env['SOURCE_DATE_EPOCH'];
  return epoch !== undefined && /^\d{1,11}$/.test(epoch) ? Number(epoch) * 1000 : Date.now();
}
