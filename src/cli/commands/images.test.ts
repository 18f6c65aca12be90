/** `push` and `pull` as commands, against a registry in this process. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { silentLog } from '#kit';
import { ContentStore, localImage, parseReference } from '#oci';
import { FakeRegistry, moduleOf } from '#oci/fake';
import { parseArguments } from '../arguments.ts';
import type { Context } from '../command.ts';
import { COMMANDS } from '../commands.ts';
import { exitCodeOf } from '../exit.ts';

interface Bench extends AsyncDisposable {
  readonly registry: FakeRegistry;
  readonly directory: string;
  readonly module: string;
  run(name: string, words: readonly string[]): Promise<string>;
}

async function makeBench(): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'wasmlet-cli-'));
  const registry = await FakeRegistry.start();
  const module = join(directory, 'hello.wasm');
  await writeFile(module, moduleOf(500));
  async function run(name: string, words: readonly string[]): Promise<string> {
    const command = COMMANDS.find((one) => one.name === name);
    assert.ok(command !== undefined);
    let text = '';
    function write(more: string): void {
      text += more;
    }
    const output = { write, isTTY: false, columns: 80 };
    const env = { HOME: directory, SOURCE_DATE_EPOCH: '0' };
    const { signal } = new AbortController();
    const context: Context = { log: silentLog, env, stdout: output, stderr: output, signal };
    const { run } = await command.load();
    assert.equal(await run(context, parseArguments(command, words)), 0);
    return text;
  }
  return {
    registry,
    directory,
    module,
    run,
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

describe('wasmlet push and pull', () => {
  for (const format of ['cncf', 'wasm-to-oci']) {
    it(`brings a module there and back as ${format}`, async () => {
      await using bench = await makeBench();
      const reference = `${bench.registry.host}/team/hello:v1`;
      const pushed = JSON.parse(await bench.run('push', [bench.module, reference, '--format', format, '-o', 'json']));
      assert.equal(pushed.reference, reference);
      const file = join(bench.directory, 'back.wasm');
      const said = await bench.run('pull', [reference, '-o', file]);
      assert.ok(said.includes(pushed.digest) && said.includes(`500 bytes, ${format}`));
      assert.deepEqual(await readFile(file), await readFile(bench.module));
      assert.deepEqual((await readdir(bench.directory)).sort(), ['back.wasm', 'hello.wasm']);
    });
  }

  it('pushes with the credentials of docker login', async () => {
    await using bench = await makeBench();
    const auth = Buffer.from('me:secret').toString('base64');
    bench.registry.fault = (_request, response, { authorization }) => {
      if (authorization === `Basic ${auth}`) return false;
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return true;
    };
    const reference = `${bench.registry.host}/team/hello:v1`;
    await assert.rejects(bench.run('push', [bench.module, reference]), { code: 'OCI_UNAUTHORIZED' });
    const config = { auths: { [bench.registry.host]: { auth } } };
    await mkdir(join(bench.directory, '.docker'));
    await writeFile(join(bench.directory, '.docker', 'config.json'), JSON.stringify(config));
    await bench.run('push', [bench.module, reference]);
  });

  it('keeps a module in this machine’s store without a registry', async () => {
    await using bench = await makeBench();
    const data = join(bench.directory, 'data');
    const said = await bench.run('push', ['--local', '--data-dir', data, bench.module, 'hello:v1']);
    assert.match(said, /^Kept docker\.io\/library\/hello:v1\nsha256:/);
    const image = await localImage(await ContentStore.open(join(data, 'content')), parseReference('hello:v1'));
    assert.equal(image?.programName, 'hello.wasm');
    assert.equal(bench.registry.asked.length, 0);
  });

  it('ends with a code that says what was wrong, and leaves no file', async () => {
    await using bench = await makeBench();
    const { host } = bench.registry;
    const file = join(bench.directory, 'x.wasm');
    const cases: [name: string, words: string[], exit: number][] = [
      ['pull', [`${host}/a:none`, '-o', file], 3],
      ['pull', ['Not-A-Name/', '-o', file], 2],
      ['pull', [`127.0.0.1:1/a`, '-o', file], 5],
      ['push', [bench.module, `${host}/a@sha256:${'0'.repeat(64)}`], 2],
    ];
    for (const [name, words, exit] of cases) {
      await assert.rejects(bench.run(name, words), (error) => exitCodeOf(error) === exit);
    }
    assert.deepEqual(await readdir(bench.directory), ['hello.wasm']);
  });
});
