/** The guests of the cases, pushed to the world's registry by our own command line: one in each flavour. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildHello } from '../../src/cli/demo/guest.ts';
import { run } from '../processes/command.ts';
import { WASMLET } from './node-process.ts';
import type { GuestName } from './world.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export async function pushGuests(host: string): Promise<Record<GuestName, string>> {
  const images = {
    scripted: `${host}/scripted:v1`,
    hello: `${host}/hello:v1`,
    'krustlet-hello': `${host}/krustlet-hello:v1`,
    posix: `${host}/posix:v1`,
    threads: `${host}/threads:v1`,
  };
  const folder = mkdtempSync(join(tmpdir(), 'wasmlet-guests-'));
  try {
    const { bytes } = await buildHello({ root, cache: folder });
    const hello = join(folder, 'hello.wasm');
    writeFileSync(hello, bytes);
    await push(hello, images.hello, 'wasm-to-oci');
    await push(await buildKrustletHello(folder), images['krustlet-hello'], 'wasm-to-oci');
    for (const name of ['scripted', 'posix', 'threads'] as const) {
      await push(join(root, 'guests', name, `${name}.wasm`), images[name], 'cncf');
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return images;
}

/** As examples/krustlet-hello/README.md says. */
async function buildKrustletHello(folder: string): Promise<string> {
  const target = join(folder, 'krustlet-hello.wasm');
  const compiler = join(root, 'node_modules', 'assemblyscript', 'bin', 'asc.js');
  const source = join('examples', 'krustlet-hello', 'guest', 'hello.ts');
  const flags = ['-O', '--runtime', 'stub', '--use', 'abort='];
  await run([process.execPath, compiler, source, '-o', target, ...flags], { cwd: root });
  return target;
}

export async function push(file: string, ref: string, format: 'wasm-to-oci' | 'cncf'): Promise<void> {
  readFileSync(file);
  await run([process.execPath, WASMLET, 'push', file, ref, '--format', format]);
}
