/**
 * Runs the preview 1 part of https://github.com/WebAssembly/wasi-testsuite against our host and prints a line a failure.
 * The suite is not kept here: `node guests/wasi-testsuite.ts DIR [NAME]`, where DIR is its branch prod/testsuite-base and NAME a part
 * of the path; with `wasi-threads` and the branch prod/testsuite-all it is the programs of that proposal.
 */
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createThreadedWorld, createWasi, sharedMemoriesOf, type WasiOptions } from '#runtime/wasi';

interface Expectation {
  args?: string[];
  env?: Record<string, string>;
  dirs?: string[];
  root?: string;
  exit_code?: number;
  stdout?: string;
}

const [suite = '.', only = ''] = process.argv.slice(2);
const tests = ['tests/*/testsuite/wasm32-wasip1', 'tests/proposals/wasi-threads']
  .flatMap((folder) => globSync(`${suite}/${folder}/*.wasm`))
  .filter((path) => path.slice(suite.length).includes(only))
  .sort();
let passed = 0;
for (const test of tests) {
  const failure = await run(test);
  if (failure === undefined) passed++;
  else console.log(`${basename(test)}: ${failure}`);
}
console.log(`${passed} of ${tests.length} passed`);
process.exitCode = passed === tests.length ? 0 : 1;

async function run(path: string): Promise<string | undefined> {
  const file = path.replace(/wasm$/, 'json');
  const expected = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Expectation) : {};
  const scratch = mkdtempSync(join(tmpdir(), 'wasmlet-wasi-'));
  const output = { out: '', err: '' };
  try {
    const roots = [...(expected.root === undefined ? [] : [expected.root]), ...(expected.dirs ?? [])];
    const preopens = roots.map((root) => {
      cpSync(join(dirname(path), root), join(scratch, root), { recursive: true });
      return { guestPath: root === expected.root ? '/' : `/${root}`, hostPath: join(scratch, root) };
    });
    const bytes = readFileSync(path);
    const memories = sharedMemoriesOf(bytes);
    const options: WasiOptions = {
      args: [basename(path), ...(expected.args ?? [])],
      env: Object.entries(expected.env ?? {}),
      preopens,
      stdout: (bytes) => {
        output.out += Buffer.from(bytes);
      },
      stderr: (bytes) => {
        output.err += Buffer.from(bytes);
      },
      // What reads is to wait; a program that is to end by itself does not read.
      ...(memories === undefined ? {} : { stdin: silence() }),
    };
    await using wasi =
      memories === undefined ? await createWasi(options) : await createThreadedWorld({ ...options, memories });
    const exit = await wasi.run(await WebAssembly.compile(bytes));
    if (exit.code !== (expected.exit_code ?? 0)) return `exit ${exit.code} ${exit.message ?? ''}\n${output.err}`;
    if (expected.stdout !== undefined && expected.stdout !== output.out) return `stdout ${JSON.stringify(output.out)}`;
    return undefined;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function* silence(): AsyncGenerator<Uint8Array> {
  yield await new Promise<never>(() => {});
}
