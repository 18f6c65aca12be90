/** Every exit code of docs/names.md, each with one clear message and never a stack trace. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { NUMBERS, Place, SCRIPTED } from './wasmlet.ts';

const NOBODY = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'a', cluster: { server: 'https://127.0.0.1:1' } }],
  users: [{ name: 'a', user: { token: 'x' } }],
  contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
  'current-context': 'a',
});

const COMPONENT = Buffer.from('0061736d0d000100', 'hex');

const place = new Place();
after(() => place[Symbol.dispose]());
before(() => {
  writeFileSync(place.path('empty.wasm'), '');
  writeFileSync(place.path('cut.wasm'), readFileSync(SCRIPTED).subarray(0, 200));
  writeFileSync(place.path('elf.wasm'), '\u007fELF');
  writeFileSync(place.path('component.wasm'), COMPONENT);
  writeFileSync(place.path('file'), '');
  writeFileSync(place.path('nobody.conf'), NOBODY);
  writeFileSync(place.path('garbage.conf'), 'hello');
  writeFileSync(place.path('bad.yaml'), 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n   labels: {}\n');
  writeFileSync(place.path('good.yaml'), 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n');
  mkdirSync(place.path('mine'));
  writeFileSync(place.path('mine/letter'), '');
});

type Case = readonly [words: string, code: number, message: RegExp];

const FAILURES: readonly Case[] = [
  ['reset --yes --data-dir mine', 1, /does not look like a wasmlet data directory/],
  ['reset --yes --data-dir file', 1, /does not look like a wasmlet data directory/],
  ['up --data-dir file', 1, /Cannot use the data directory/],
  ['up --data-dir /proc/nosuch', 1, /Cannot use the data directory/],
  ['up --detach --data-dir file/x', 1, /Cannot use the data directory/],
  ['nosuch', 2, /there is no such command/],
  ['gett pods', 2, /did you mean 'wasmlet get'/],
  ['get pods --nosuch', 2, /unknown flag '--nosuch'/],
  ['get', 2, /too few arguments/],
  ['get pods -o bogus', 2, /one of table, wide, json, yaml, name/],
  ['up --max-pods x', 2, /--max-pods is a number from 0 to 100000/],
  ['up --api-port 70000', 2, /--api-port is a number from 0 to 65535/],
  ['up -f bad.yaml', 2, /bad\.yaml:\d+:\d+: /],
  ['join', 2, /how to reach the cluster/],
  ['join --kubeconfig nobody.conf --register-with-taints a=b:Nope', 2, /Cannot read the taint/],
  ['krustlet-wasi --bogus', 2, /--bogus/],
  ['completion tcsh', 2, /bash, zsh, fish/],
  ['pull reg.example/x', 2, /no file is named/],
  ['pull UPPER -o x', 2, /Cannot read the image name/],
  ['push elf.wasm localhost/x:v1 --local', 2, /not a WebAssembly module/],
  ['get pods --kubeconfig garbage.conf', 2, /Cannot use the kubeconfig/],
  ['get pods', 3, /there is no node in/],
  ['get pods --kubeconfig nosuch', 3, /Cannot read the kubeconfig/],
  ['apply -f nosuch.yaml', 3, /nosuch\.yaml/],
  ['push nosuch.wasm localhost/x:v1 --local', 3, /can't be read/],
  ['get pods --kubeconfig nobody.conf', 5, /Cannot reach the API server/],
  ['apply -f good.yaml --kubeconfig nobody.conf', 5, /Cannot reach the API server/],
  ['pull 127.0.0.1:1/x:v1 -o out.wasm', 5, /Cannot reach registry/],
];

const RUNS: readonly Case[] = [
  ['run', 2, /too few arguments/],
  [`run --env =x ${SCRIPTED}`, 2, /it has no name/],
  [`run --invoke add ${NUMBERS} 1`, 2, /takes 2/],
  [`run --dir /nosuch::/d ${SCRIPTED}`, 125, /Cannot give '\/nosuch'/],
  ['run 127.0.0.1:1/x:v1', 125, /Cannot reach registry/],
  ['run empty.wasm', 126, /no valid WebAssembly module/],
  ['run cut.wasm', 126, /no valid WebAssembly module/],
  ['run elf.wasm', 126, /no valid WebAssembly module/],
  ['run component.wasm', 126, /component/],
  [`run ${NUMBERS}`, 126, /exports no function '_start'/],
  [`run --invoke nosuch ${NUMBERS}`, 126, /exports no such function/],
  ['run nosuch.wasm', 127, /no such file/],
  [`run --invoke fail ${NUMBERS}`, 134, /unreachable/],
];

describe('a failure', () => {
  for (const [words, code, message] of [...FAILURES, ...RUNS]) {
    it(`of 'wasmlet ${words.replace(/\/\S*\/(\w+\.wasm)/, '$1')}' ends with ${code} and says why`, async () => {
      const result = await place.wasmlet(words.split(' '));
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, message);
      assert.doesNotMatch(result.stderr, /^\s+at .*:\d+/m);
      assert.equal(result.stderr.match(/^wasmlet: /gm)?.length, 1, result.stderr);
      assert.equal(result.stdout, '');
    });
  }
});

describe('run', () => {
  it("gives the guest's own exit code, its input and its output", async () => {
    const { code, stdout } = await place.wasmlet(['run', SCRIPTED, 'print', 'hi', ',', 'exit', '4']);
    assert.deepEqual([code, stdout], [4, 'hi\n']);
    assert.equal((await place.wasmlet(['run', '--invoke', 'add', NUMBERS, '2', '3'])).stdout, '5\n');
  });

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`ends with ${code} by ${signal}, though the guest never waits`, async () => {
      const ended = await place.interrupted(['run', SCRIPTED, 'print', 'here', ',', 'loop'], {
        signal,
        after: /here/,
      });
      assert.equal(ended.code, code, ended.text);
    });
  }
});

it('a URL that is not there is not found', async () => {
  const server = createServer((_, answer) => answer.writeHead(404).end()).listen(0, '127.0.0.1');
  after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const result = await place.wasmlet(['apply', '-f', `http://127.0.0.1:${port}/pod.yaml`]);
  assert.equal(result.code, 3);
  assert.match(result.stderr, /the server answered 404/);
});

it('help, version and completion need no node', async () => {
  for (const words of [['--help'], ['up', '--help'], ['help', 'run'], ['--version'], ['completion', 'zsh']]) {
    const { code, stdout } = await place.wasmlet(words);
    assert.equal(code, 0, words.join(' '));
    assert.match(stdout, /wasmlet/);
  }
});
