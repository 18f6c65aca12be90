/** Real programs, rewritten: each is still valid, and does what it did, also when it is interrupted at every check. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { examine, rewrite } from '#runtime/module';
import { createWasi } from '#runtime/wasi';

const root = join(import.meta.dirname, '..', '..');
const found = globSync(['guests/**/*.wasm', 'bench/modules/**/*.wasm', 'node_modules/**/*.wasm'], { cwd: root });

interface Ran {
  readonly code: number;
  readonly message: string | undefined;
  readonly output: string;
}

/** With `control`, the module is a rewritten one, and gives the thread back at every check. */
async function run(bytes: Uint8Array<ArrayBuffer>, args: string[], control?: WebAssembly.Memory): Promise<Ran> {
  let output = '';
  const keep = (piece: Uint8Array) => {
    output += Buffer.from(piece);
  };
  await using wasi = await createWasi({ args, stdout: keep, stderr: keep, ...(control && { control }) });
  const { code, message } = await wasi.run(await WebAssembly.compile(bytes));
  return { code, message, output };
}

describe('real modules', () => {
  it('are found', () => assert.ok(found.length > 5));

  for (const path of found) {
    it(`${path} is rewritten, or says why not`, () => {
      const bytes = new Uint8Array(readFileSync(join(root, path)));
      if (!WebAssembly.validate(bytes)) return;
      const outcome = rewrite(bytes);
      if ('unsupported' in outcome) assert.equal(outcome.unsupported, 'it uses shared memory');
      else assert.ok(WebAssembly.validate(outcome.bytes));
    });
  }
});

describe('the scripted guest, rewritten', () => {
  const bytes = new Uint8Array(readFileSync(join(root, 'guests', 'scripted', 'scripted.wasm')));
  const control = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  new Int32Array(control.buffer)[0] = 1;
  const scripts = ['print hello , exit 3', 'args , env', 'trap', 'divide 0', 'overflow', 'print a , sleep 5 , print b'];
  for (const script of scripts) {
    it(`does the same: ${script}`, async () => {
      const { rewritten } = examine(bytes, 'sha256:x');
      assert.ok(rewritten !== undefined);
      const args = ['scripted', ...script.split(' ')];
      const plain = await run(bytes, args);
      const other = await run(rewritten, args, control);
      assert.deepEqual({ code: other.code, output: other.output }, { code: plain.code, output: plain.output });
      assert.equal(functionsOf(other.message), functionsOf(plain.message));
    });
  }
});

/** Names in a backtrace: offsets and indexes are others. */
function functionsOf(message: string | undefined): string {
  return [...(message ?? '').matchAll(/^\s*at (\S+)/gm)].map(([, name]) => name).join(' ');
}
