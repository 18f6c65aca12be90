import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { numberOf, textOf } from './invoke.ts';
import { runModule } from './run.ts';

const bytesOf = (name: string): Uint8Array =>
  readFileSync(join(import.meta.dirname, `../../../guests/${name}/${name}.wasm`));
const numbers = bytesOf('numbers');

async function invoke(name: string, ...args: string[]): Promise<string> {
  const { exit, results } = await runModule({ bytes: numbers, invoke: { name, args } });
  return exit.code === 0 ? results.join(' ') : `${exit.code}: ${exit.message}`;
}

describe('runModule()', () => {
  it('runs a program to its exit', async () => {
    let out = '';
    const { exit } = await runModule({
      bytes: bytesOf('scripted'),
      args: ['scripted', 'print', 'hi', ',', 'exit', '4'],
      stdout: (bytes) => {
        out += Buffer.from(bytes);
      },
    });
    assert.deepEqual([out, exit.code], ['hi\n', 4]);
  });

  it('runs a program with threads', async () => {
    const { exit } = await runModule({ bytes: bytesOf('threads'), entrypoint: 'join' });
    assert.equal(exit.code, 30);
    const invoke = { name: 'join', args: [] };
    await assert.rejects(runModule({ bytes: bytesOf('threads'), invoke }), { code: 'WASI_BAD_OPTION' });
  });

  it('refuses what is no module, a component, and a module without a program', async () => {
    await assert.rejects(runModule({ bytes: Buffer.from('not wasm') }), { code: 'WASI_BAD_MODULE' });
    await assert.rejects(runModule({ bytes: numbers.subarray(0, 60) }), { code: 'WASI_BAD_MODULE' });
    const component = new Uint8Array([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);
    await assert.rejects(runModule({ bytes: component }), { code: 'WASI_BAD_MODULE', message: /component/ });
    await assert.rejects(runModule({ bytes: numbers }), { code: 'WASI_NO_ENTRYPOINT' });
    // (import "wasmlet:engine" "yield" (func (type 0)))
    const engine = `0061736d010000000104016000000218010e${Buffer.from('wasmlet:engine').toString('hex')}05${Buffer.from('yield').toString('hex')}0000`;
    const reserved = runModule({ bytes: Buffer.from(engine, 'hex'), args: ['x.wasm'] });
    await assert.rejects(reserved, {
      code: 'WASI_BAD_MODULE',
      message: "Cannot run 'x.wasm': it imports from 'wasmlet:engine'",
    });
  });
});

describe('--invoke', () => {
  it('calls functions of all number types, after _initialize', async () => {
    assert.equal(await invoke('initialized'), '1');
    assert.equal(await invoke('add', '2', '-3'), '-1');
    assert.equal(await invoke('add', '0xffffffff', '0'), '-1');
    assert.equal(await invoke('add64', '9223372036854775807', '1'), '-9223372036854775808');
    assert.equal(await invoke('half', '1e3'), '500');
    assert.equal(await invoke('tenth', '1'), '0.1');
    assert.equal(await invoke('swap', '1', '2'), '2 1');
    assert.equal(await invoke('nothing'), '');
  });

  it('says which arguments a function takes', async () => {
    await assert.rejects(invoke('add', '1'), { code: 'WASI_BAD_OPTION', message: /takes 2 \(i32, i32\) arguments, 1/ });
    await assert.rejects(invoke('add', '1', 'x'), { code: 'WASI_BAD_OPTION', message: /'x' is no i32/ });
    await assert.rejects(invoke('gone'), { code: 'WASI_NO_ENTRYPOINT' });
  });

  it('tells a trap with the names of the functions', async () => {
    assert.match(
      await invoke('fail'),
      /^134: .*unreachable.*\n.*\n {2}0: 0x[0-9a-f]+ - \S*inner\n {2}1: 0x[0-9a-f]+ - \S*outer/,
    );
    assert.match(await invoke('divide', '1', '0'), /integer divide by zero/);
    assert.match(await invoke('recurse'), /call stack exhausted/);
    assert.match(await invoke('outside'), /out of bounds memory access/);
  });

  it('reads and writes numbers at their edges', () => {
    assert.equal(numberOf('i64', '18446744073709551615'), 18_446_744_073_709_551_615n);
    assert.throws(() => numberOf('i32', '4294967296'), { code: 'WASI_BAD_OPTION' });
    assert.throws(() => numberOf('i32', '1.5'), { code: 'WASI_BAD_OPTION' });
    assert.throws(() => numberOf('f64', ''), { code: 'WASI_BAD_OPTION' });
    assert.equal(numberOf('f64', '-inf'), -Infinity);
    assert.deepEqual(
      [textOf('f64', Number.NaN), textOf('f32', -0), textOf('f64', 1e21), textOf('i64', 5n)],
      ['NaN', '-0', '1e+21', '5'],
    );
  });

  it('answers garbage behind a valid head with an error of ours', async () => {
    for (let at = 8; at < numbers.byteLength; at += 3) {
      const broken = numbers.slice();
      broken[at] = (broken[at] ?? 0) ^ 0x55;
      await runModule({ bytes: broken, invoke: { name: 'add', args: ['1', '2'] } }).catch(
        (error: { code?: string }) => {
          assert.match(String(error.code ?? error), /^WASI_/, `byte ${at}`);
        },
      );
    }
  });
});
