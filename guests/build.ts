/**
 * Builds the guests from their sources: `node guests/build.ts [NAME…]`, all without a name.
 *
 * The small ones are kept compiled beside their source, so that unit tests and `npm test -- --quick` need no compiler;
 * `guests/guests.test.ts` rebuilds them and compares. Which compiler makes which is `GUESTS`; its version is fixed where it is
 * installed (test/setup), since another version makes other bytes.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

export interface GuestSource {
  readonly name: string;
  /** Relative to this folder. */
  readonly source: string;
  readonly output: string;
  readonly tool: 'zig' | 'wat' | 'asc' | 'go';
  /** Kept in the repository. */
  readonly kept: boolean;
}

export const GUESTS: readonly GuestSource[] = [
  { name: 'scripted', source: 'scripted/scripted.c', output: 'scripted/scripted.wasm', tool: 'zig', kept: true },
  { name: 'hostile', source: 'hostile/hostile.c', output: 'hostile/hostile.wasm', tool: 'zig', kept: true },
  { name: 'catcher', source: 'catcher/catcher.wat', output: 'catcher/catcher.wasm', tool: 'wat', kept: true },
  { name: 'unstable', source: 'unstable/unstable.wat', output: 'unstable/unstable.wasm', tool: 'wat', kept: true },
  { name: 'posix', source: 'posix/posix.c', output: 'posix/posix.wasm', tool: 'zig', kept: true },
  { name: 'threads', source: 'threads/threads.wat', output: 'threads/threads.wasm', tool: 'wat', kept: true },
  { name: 'numbers', source: 'numbers/numbers.wat', output: 'numbers/numbers.wasm', tool: 'wat', kept: true },
  { name: 'calls', source: 'calls/calls.wat', output: 'calls/calls.wasm', tool: 'wat', kept: true },
  { name: 'hog', source: 'hog/hog.wat', output: 'hog/hog.wasm', tool: 'wat', kept: true },
  { name: 'gc', source: 'gc/gc.wat', output: 'gc/gc.wasm', tool: 'wat', kept: true },
  { name: 'caller', source: 'caller/caller.wat', output: 'caller/caller.wasm', tool: 'wat', kept: true },
  {
    name: 'caller-unstable',
    source: 'caller/caller-unstable.wat',
    output: 'caller/caller-unstable.wasm',
    tool: 'wat',
    kept: true,
  },
  { name: 'greeter', source: 'greeter/greeter.ts', output: 'greeter/greeter.wasm', tool: 'asc', kept: true },
  { name: 'go-server', source: 'go-server', output: 'go-server/build/go-server.wasm', tool: 'go', kept: false },
];

export const folder = import.meta.dirname;

/** Compiles a guest into a file. */
export async function build({ source, tool }: GuestSource, output: string): Promise<void> {
  mkdirSync(dirname(output), { recursive: true });
  if (tool === 'wat') writeFileSync(output, await assemble(join(folder, source)));
  else if (tool === 'zig') compileC(join(folder, source), output);
  else if (tool === 'asc') compileAssemblyScript(join(folder, source), output);
  else compileGo(join(folder, source), output);
  chmodSync(output, 0o644);
}

/** C by Zig's compiler, which brings the WASI C library: the PyPI package ziglang, or `zig` in the path. */
function compileC(source: string, output: string): void {
  const zig = process.env['WASMLET_TEST_ZIG'] ?? 'zig';
  // Its own folder and a bare name, so that no path of this machine is in the bytes.
  const name = source.slice(dirname(source).length + 1);
  const flags = ['-target', 'wasm32-wasi', '-Oz', '-s', '-Wall', '-Wextra', '-Wno-infinite-recursion'];
  execFileSync(zig, ['cc', ...flags, '-o', output, name], { cwd: dirname(source), stdio: 'inherit' });
}

/** AssemblyScript and its WASI shim come with `npm ci`. Paths are relative, so that none of this machine is in the bytes. */
function compileAssemblyScript(source: string, output: string): void {
  const root = dirname(folder);
  const modules = 'node_modules';
  const compiler = join(root, modules, 'assemblyscript/bin/asc.js');
  const config = join(modules, '@assemblyscript/wasi-shim/asconfig.json');
  const flags = ['--config', config, '-O3z', '--runtime', 'stub', '--outFile', relative(root, output)];
  execFileSync(process.execPath, [compiler, relative(root, source), ...flags], { cwd: root, stdio: 'inherit' });
}

function compileGo(source: string, output: string): void {
  const env = { ...process.env, GOOS: 'wasip1', GOARCH: 'wasm', CGO_ENABLED: '0', GOFLAGS: '-trimpath' };
  execFileSync(process.env['WASMLET_TEST_GO'] ?? 'go', ['build', '-ldflags=-s -w', '-o', output, '.'], {
    cwd: source,
    env,
    stdio: 'inherit',
  });
}

/** WebAssembly text by binaryen, which comes with AssemblyScript; names of functions are kept, for backtraces. */
async function assemble(source: string): Promise<Uint8Array> {
  const { default: binaryen } = await import('binaryen');
  binaryen.setDebugInfo(true);
  const module = binaryen.parseText(readFileSync(source, 'utf8'));
  module.setFeatures(binaryen.Features.All);
  try {
    if (module.validate() === 0) throw new Error(`Cannot assemble '${source}': it is not valid`);
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

if (import.meta.main) {
  const wanted = process.argv.slice(2);
  for (const guest of GUESTS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
    await build(guest, join(folder, guest.output));
    console.log(guest.output);
  }
}
