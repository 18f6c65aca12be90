import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Verdict } from '../contract.ts';
import { PROVIDED } from '../module/provided.ts';
import { HEADER_PATH, headerText, PAGE_PATH, pageText } from './document.ts';
import { FakePosixGuest } from './fake-guest.ts';
import { grantRefusal, parseCapabilities } from './grant.ts';
import { POSIX_FUNCTIONS, POSIX_MODULE, POSIX_NAMES } from './table.ts';

describe('the table of functions', () => {
  it('is what the host provides, and what admission knows', async () => {
    await using guest = await FakePosixGuest.make();
    for (const name of POSIX_NAMES) assert.notEqual(await guest.call(name, ...Array(9).fill(-1)), 'SUCCESS', name);
    assert.deepEqual([...(PROVIDED[POSIX_MODULE] ?? [])], POSIX_NAMES);
    assert.equal(new Set(POSIX_NAMES).size, POSIX_NAMES.length);
  });

  it('adds nothing to the modules of WASI', async () => {
    await using guest = await FakePosixGuest.make();
    for (const module of ['wasi_unstable', 'wasi_snapshot_preview1']) {
      assert.deepEqual(guest.namesOf(module).sort(), [...(PROVIDED[module] ?? [])].sort());
    }
  });

  it('is what the header and the page say: else run node src/runtime/posix/document.ts', () => {
    assert.equal(readFileSync(HEADER_PATH, 'utf8'), headerText());
    const page = readFileSync(PAGE_PATH, 'utf8');
    assert.equal(page, pageText(page));
  });

  it('has a test and a step of the guest for each', () => {
    const tests = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.ts'));
    const sources = tests.map((name) => readFileSync(join(import.meta.dirname, name), 'utf8')).join('\n');
    const guest = readFileSync(join(HEADER_PATH, '../posix.c'), 'utf8');
    for (const { name } of POSIX_FUNCTIONS) {
      assert.ok(sources.includes(`'${name}'`), `no test calls ${name}`);
      assert.ok(guest.includes(`wasmlet_posix_${name}(`), `the guest does not call ${name}`);
    }
  });
});

describe('hostile arguments', () => {
  const values = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 65_536, 262_140, 99];
  const wide = [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)];

  it('get an errno, or the end by a signal, from every function', async () => {
    await using guest = await FakePosixGuest.make();
    let state = 7;
    const next = (most: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % most;
    };
    for (let round = 0; round < 4000; round++) {
      const { name, parameters } = POSIX_FUNCTIONS[next(POSIX_FUNCTIONS.length)] ?? { name: '', parameters: [] };
      // A wait without end is no answer, and is tested by itself.
      const args = parameters.map(([parameter, type]) =>
        parameter === 'timeout'
          ? -2n
          : type === 'i64'
            ? (wide[next(wide.length)] ?? 0n)
            : (values[next(values.length)] ?? 0),
      );
      try {
        assert.match(await guest.call(name, ...args), /^[A-Z0-9]+$/);
      } catch (error) {
        assert.match(String(error), /the guest ended with 1\d\d/);
        assert.equal(name, 'signal_raise');
      }
    }
  });
});

describe('the grant', () => {
  const verdict = (module: string): Verdict => ({
    digest: 'sha256:1',
    kind: 'command',
    wasi: [],
    exports: [],
    imports: [{ module, name: 'ids_get', kind: 'func' }],
  });

  it('is asked of modules that import the extension, and the refusal names the annotation', () => {
    assert.equal(grantRefusal(verdict('wasi_snapshot_preview1'), new Set()), undefined);
    assert.equal(grantRefusal(verdict(POSIX_MODULE), parseCapabilities(' posix ,')), undefined);
    const refusal = grantRefusal(verdict(POSIX_MODULE), parseCapabilities(undefined));
    assert.equal(refusal?.code, 'MODULE_NOT_GRANTED');
    assert.match(refusal?.message ?? '', /wasmlet\.dev\/capabilities: posix/);
  });

  it('is refused for words that nobody provides', () => {
    assert.match(
      grantRefusal(verdict('x'), parseCapabilities('posix,gpu'))?.message ?? '',
      /grants 'gpu'.*known is posix/,
    );
    assert.equal(grantRefusal(verdict('constructor'), new Set()), undefined);
  });
});
