/**
 * `npm run wasi`: the preview 1 programs of https://github.com/WebAssembly/wasi-testsuite, each as it is and rewritten as the engine
 * runs it, beside node:wasi and, where `WASMTIME` names it, wasmtime. The suite is not kept here; `WASI_TESTSUITE` is where it is.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createWasi } from '#runtime/wasi';
import { rewrite } from '../src/runtime/module/rewrite/mod.ts';
import { controlMemory } from '../src/runtime/scheduler/mod.ts';

const HELP = `usage: WASI_TESTSUITE=DIR npm run wasi [-- NAME]
DIR is https://github.com/WebAssembly/wasi-testsuite, branch prod/testsuite-base:
  git clone --depth 1 --branch prod/testsuite-base https://github.com/WebAssembly/wasi-testsuite
WASMTIME=PATH runs wasmtime's command line beside.
`;

interface Expectation {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly dirs?: readonly string[];
  readonly root?: string;
  readonly exit_code?: number;
  readonly stdout?: string;
}

/** A program with what it is given; its directories are fresh copies. */
interface Program {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly (readonly [string, string])[];
  readonly preopens: readonly { readonly guestPath: string; readonly hostPath: string }[];
}

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
}

type Host = (program: Program) => Promise<Outcome> | Outcome;

async function ours(program: Program, { rewritten }: { rewritten: boolean }): Promise<Outcome> {
  let stdout = '';
  const options = {
    args: program.args,
    env: program.env,
    preopens: program.preopens,
    stdout: (bytes: Uint8Array) => {
      stdout += Buffer.from(bytes);
    },
    ...(rewritten ? { control: controlMemory() } : {}),
  };
  await using wasi = await createWasi(options);
  const { code } = await wasi.run(await WebAssembly.compile(bytesOf(program.path, rewritten)));
  return { code, stdout };
}

function bytesOf(path: string, rewritten: boolean): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(readFileSync(path));
  if (!rewritten) return bytes;
  const result = rewrite(bytes);
  if (!('bytes' in result)) throw new Error(`Cannot rewrite '${path}'`);
  return result.bytes;
}

/** In a process of its own, since a guest's `proc_exit` is the process's. */
const NODE_WASI = `
import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';
const { path, args, env, preopens } = JSON.parse(process.argv[1]);
const given = Object.fromEntries(preopens.map(({ guestPath, hostPath }) => [guestPath, hostPath]));
const wasi = new WASI({ version: 'preview1', args, env: Object.fromEntries(env), preopens: given });
wasi.start(await WebAssembly.instantiate(await WebAssembly.compile(readFileSync(path)), wasi.getImportObject()));
`;

function nodes(program: Program): Outcome {
  const flags = ['--no-warnings', '--input-type=module', '-e', NODE_WASI];
  return ran(process.execPath, [...flags, JSON.stringify(program)]);
}

function wasmtimes(program: Program): Outcome {
  const directories = program.preopens.map(({ guestPath, hostPath }) => `--dir=${hostPath}::${guestPath}`);
  const env = program.env.flatMap(([name, value]) => ['--env', `${name}=${value}`]);
  return ran(process.env['WASMTIME'] ?? '', ['run', ...directories, ...env, program.path, ...program.args.slice(1)]);
}

function ran(command: string, args: readonly string[]): Outcome {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', timeout: 60_000 });
  return { code: status, stdout };
}

const HOSTS: Readonly<Record<string, Host>> = {
  wasmlet: (program) => ours(program, { rewritten: false }),
  rewritten: (program) => ours(program, { rewritten: true }),
  'node:wasi': nodes,
  ...(process.env['WASMTIME'] === undefined ? {} : { wasmtime: wasmtimes }),
};

async function passes(path: string, host: Host): Promise<boolean> {
  const file = path.replace(/wasm$/, 'json');
  const expected = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Expectation) : {};
  const { root, dirs = [], args = [], env = {} } = expected;
  const scratch = mkdtempSync(join(tmpdir(), 'wasmlet-wasi-'));
  try {
    const preopens = [...(root === undefined ? [] : [root]), ...dirs].map((name) => {
      cpSync(join(dirname(path), name), join(scratch, name), { recursive: true });
      return { guestPath: name === root ? '/' : `/${name}`, hostPath: join(scratch, name) };
    });
    const { code, stdout } = await host({ path, args: [basename(path), ...args], env: Object.entries(env), preopens });
    return code === (expected.exit_code ?? 0) && (expected.stdout === undefined || expected.stdout === stdout);
  } catch {
    return false;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function main(suite: string, programs: readonly string[]): Promise<void> {
  const passed = Object.fromEntries(Object.keys(HOSTS).map((name) => [name, 0]));
  for (const path of programs) {
    const failed: string[] = [];
    for (const [name, host] of Object.entries(HOSTS)) {
      if (await passes(path, host)) passed[name] = (passed[name] ?? 0) + 1;
      else failed.push(name);
    }
    const name = `${path.slice(suite.length).split('/')[2]}/${basename(path, '.wasm')}`;
    console.log(`${name.padEnd(48)} ${failed.length === 0 ? 'passed' : `failed: ${failed.join(', ')}`}`);
  }
  for (const [name, count] of Object.entries(passed)) console.log(`${name}: ${count} of ${programs.length}`);
  const own = [passed['wasmlet'], passed['rewritten']];
  process.exitCode = own.every((count) => count === programs.length) ? 0 : 1;
}

function refuse(message: string): void {
  process.stderr.write(`${message}${HELP}`);
  process.exitCode = 2;
}

const { WASI_TESTSUITE: suite = '', WASMTIME: wasmtime } = process.env;
const only = process.argv[2] ?? '';
const programs = globSync(`${suite}/tests/*/testsuite/wasm32-wasip1/*.wasm`)
  .filter((path) => path.slice(suite.length).includes(only))
  .sort();
if (suite === '') refuse('');
else if (!existsSync(suite)) refuse(`Cannot run the suite in '${suite}': there is no such folder\n`);
else if (programs.length === 0)
  refuse(
    `Cannot run the suite in '${suite}': no program in tests/ there${only === '' ? '' : ` is named as '${only}'`}\n`,
  );
else if (wasmtime?.includes('/') && !existsSync(wasmtime)) refuse(`Cannot run wasmtime: there is no '${wasmtime}'\n`);
else await main(suite, programs);
