/** Builds the hello guest from its source with AssemblyScript, and remembers by the sources' digest that it did. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { cliError } from '../errors.ts';

export interface GuestSource {
  /** The checkout's root. */
  readonly root: string;
  /** Where builds are kept. */
  readonly cache: string;
}

/** The compiled module's bytes and whether they had to be built. */
export async function buildHello({ root, cache }: GuestSource): Promise<{ bytes: Uint8Array; built: boolean }> {
  const folder = join(root, 'examples', 'hello', 'guest');
  if (!existsSync(folder)) {
    throw cliError('CLI_NOT_FOUND', `Cannot build the hello guest: there is no '${folder}'`, {
      hint: 'The demo runs from a checkout.',
    });
  }
  const target = join(cache, `hello-${digestOf(folder)}.wasm`);
  if (existsSync(target)) return { bytes: readFileSync(target), built: false };
  mkdirSync(cache, { recursive: true });
  const aside = `${target}.${process.pid}`;
  try {
    await compile(root, join(folder, 'hello.ts'), aside);
    renameSync(aside, target);
  } finally {
    rmSync(aside, { force: true });
  }
  return { bytes: readFileSync(target), built: true };
}

function digestOf(folder: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder).sort())
    hash
      .update(name)
      .update('\0')
      .update(readFileSync(join(folder, name)))
      .update('\0');
  return hash.digest('hex').slice(0, 16);
}

function compile(root: string, source: string, target: string): Promise<void> {
  const find = createRequire(join(root, 'package.json'));
  const compiler = join(dirname(find.resolve('assemblyscript/package.json')), 'bin', 'asc.js');
  // Relative: the compiler takes an absolute path of a configuration for one below its own folder and finds no library.
  const config = relative(root, join(dirname(find.resolve('@assemblyscript/wasi-shim/package.json')), 'asconfig.json'));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [compiler, source, '-o', target, '--config', config, '-O'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve();
      else
        reject(
          cliError(
            'CLI_FAILED',
            `Cannot compile '${source}': the compiler ended with ${code}: ${output.trim().slice(-2000)}`,
          ),
        );
    });
  });
}
