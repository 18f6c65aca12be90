/** A node by its commands: start, ask, a second one, killed, ended, removed; and a newcomer's first start in a clone. */
import assert from 'node:assert/strict';
import { chownSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { type CommandResult, run } from '../processes/command.ts';
import { Place, ROOT } from './wasmlet.ts';

describe('a node in the background', () => {
  const place = new Place();
  const other = new Place();
  const ask = (words: string): Promise<CommandResult> => place.wasmlet(words.split(' '));

  async function expect(words: string, code: number, message: RegExp): Promise<void> {
    const result = await ask(words);
    assert.equal(result.code, code, `${words}: ${result.stderr}`);
    assert.match(result.stdout + result.stderr, message);
  }

  before(async () => {
    await expect('up --detach', 0, /the node is Ready: pid \d+/);
    const stuck = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'stuck', finalizers: ['example.com/a'] } };
    const list = { apiVersion: 'v1', kind: 'List', items: [stuck] };
    writeFileSync(place.path('stuck.json'), JSON.stringify(list));
  });
  after(async () => {
    await ask('down');
    await other.wasmlet(['down']);
    for (const one of [place, other]) one[Symbol.dispose]();
  });

  it('is shown, to people and to programs', async () => {
    await expect('status', 0, /Ready/);
    const { stdout } = await ask('status -o json');
    assert.equal((JSON.parse(stdout) as { node: { ready: boolean } }).node.ready, true);
    await expect('get nodes', 0, /Ready/);
    for (const form of ['json', 'yaml', 'name']) await expect(`get nodes -o ${form}`, 0, /node/i);
  });

  it('keeps its directory for itself, and lets another one run beside it', async () => {
    await expect('up', 1, /the node of process \d+ runs on it/);
    await expect('up --detach', 1, /the node of process \d+ runs on it/);
    await expect('reset --yes', 1, /runs on it/);
    assert.equal((await other.wasmlet(['up', '--detach'])).code, 0);
    assert.equal((await other.wasmlet(['down'])).code, 0);
  });

  it('says with 3 what is not there, with 4 what may not be, with 6 what did not come in time', async () => {
    await expect('get nosuch', 3, /none of that name/);
    for (const words of ['get pod none', 'get pod none -o json', 'logs none', 'delete pod none']) {
      await expect(words, 3, /"none" not found/);
    }
    await expect('apply -f stuck.json', 0, /configmap\/stuck created/);
    await expect('delete configmap stuck --timeout 0', 6, /still there/);
    // A token that nobody gave.
    const kubeconfig = readFileSync(place.path('data/kubeconfig'), 'utf8');
    const stranger = kubeconfig
      .replace(/^( *)client-certificate-data:.*$/m, '$1token: nobody')
      .replace(/^ *client-key-data:.*\n/m, '');
    writeFileSync(place.path('stranger.conf'), stranger);
    await expect('get pods --kubeconfig stranger.conf', 4, /Unauthorized|orbidden/);
  });

  it('does not trust a server that another authority signed for', async () => {
    assert.equal((await other.wasmlet(['up', '--detach'])).code, 0);
    const [mine = '', its = ''] = [place, other].map((one) => readFileSync(one.path('data/kubeconfig'), 'utf8'));
    const authority = /certificate-authority-data:.*/;
    writeFileSync(place.path('wrong-ca.conf'), mine.replace(authority, authority.exec(its)?.[0] ?? ''));
    await other.wasmlet(['down']);
    await expect('get pods --kubeconfig wrong-ca.conf', 5, /certificate/);
  });

  it('is ended for good by down, even after kill -9', async () => {
    const { pid } = JSON.parse((await ask('status -o json')).stdout) as { pid: number };
    process.kill(pid, 'SIGKILL');
    await expect('status', 3, /not running/);
    await expect('get pods', 5, /Cannot reach the API server/);
    await expect('down', 0, /ended 1 sandbox/);
    await expect('reset --yes', 0, /removed/);
    await expect('get pods', 3, /there is no node/);
  });
});

describe('Ctrl-C', () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`(${signal}) ends a foreground node in order, with 0`, async () => {
      using place = new Place();
      const { code, text } = await place.interrupted(['up'], { signal, after: /the node is Ready/ });
      assert.equal(code, 0, text);
      assert.match(text, /stopped state=/);
      assert.doesNotMatch(text, /^wasmlet: /m);
    });
  }
});

it('npm start in a clone, by a user without rights, needs no network the second time', async (test) => {
  if (!existsSync(`${ROOT}/.git`)) return test.skip('this is no checkout');
  using place = new Place();
  const clone = place.path('clone');
  await run(['git', '-c', `safe.directory=${ROOT}/.git`, 'clone', '--quiet', ROOT, clone]);
  symlinkSync(`${ROOT}/node_modules`, `${clone}/node_modules`);
  const [root, nobody] = [process.getuid?.() === 0, 65534];
  if (root) {
    await run(['chown', '-R', `${nobody}:${nobody}`, clone]);
    chownSync(place.dir, nobody, nobody);
  }
  const user = root ? ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--'] : [];
  for (const time of ['first', 'second']) {
    const { stdout } = await run([...user, process.execPath, 'bin/start.js', '--once'], {
      cwd: clone,
      env: { HOME: place.dir, npm_config_offline: 'true', WASMLET_DATA_DIR: undefined },
    });
    assert.match(stdout, /pod\/hello-two Running ready 1\/1 restarts 1/, time);
    assert.match(stdout, /hello from hello-one/);
    assert.match(stdout, /stopped 2 pod\(s\)/);
    assert.match(stdout, time === 'first' ? /compiled examples/ : /compiled already/);
  }
});
