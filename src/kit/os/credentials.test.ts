import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { mayBecome } from './mod.ts';

const range = { first: 1_900_000_000, last: 1_900_065_535 };
const os = new URL('./mod.ts', import.meta.url).href;

/** A process as /proc/self shows it. */
function files(changes: Record<string, string> = {}) {
  const all: Record<string, string> = {
    status: 'Name:\tnode\nCapEff:\t000001ffffffffff\n',
    setgroups: 'allow\n',
    uid_map: '         0          0 4294967295\n',
    gid_map: '         0          0 4294967295\n',
    ...changes,
  };
  return { read: (name: string) => all[name] ?? '' };
}

describe('mayBecome()', () => {
  it('needs the rights, and a namespace that has the users', () => {
    assert.equal(mayBecome(range, files()), true);
    assert.equal(mayBecome(range, files({ status: 'CapEff:\t0000000000000000\n' })), false);
    // All but CAP_SETUID.
    assert.equal(mayBecome(range, files({ status: 'CapEff:\t000001ffffffff7f\n' })), false);
    assert.equal(mayBecome(range, files({ setgroups: 'deny\n' })), false);
    assert.equal(mayBecome(range, files({ uid_map: '0 1000 1\n' })), false);
    assert.equal(mayBecome(range, files({ gid_map: '0 1000 65536\n' })), false);
    assert.equal(mayBecome(range, files({ status: '', uid_map: 'garbage' })), false);
  });
});

describe('becomeUser()', { skip: !mayBecome(range) && 'this process may not change its user' }, () => {
  function become(keep: string, path: string) {
    const after = `
      const fs = require('node:fs');
      const line = (name) => new RegExp('^' + name + ':\\\\s*(.*)$', 'm').exec(fs.readFileSync('/proc/self/status', 'latin1'))[1].trim();
      const tried = (call) => { try { return call() ?? 'done'; } catch (error) { return error.code; } };
      console.log(JSON.stringify({
        uid: [process.getuid(), process.geteuid(), process.getgid()], groups: process.getgroups(),
        effective: line('CapEff'), bounding: line('CapBnd'),
        read: tried(() => fs.readFileSync(${JSON.stringify(path)}, 'utf8')),
        back: tried(() => process.setuid(0)), chown: tried(() => fs.chownSync(${JSON.stringify(path)}, 1, 1)),
      }));`;
    const code = `
      import { becomeUser, CAPABILITY, setNoNewPrivs } from ${JSON.stringify(os)};
      setNoNewPrivs();
      becomeUser({ uid: ${range.first}, gid: ${range.first}, keep: [${keep}] });
      process.chdir('/');
      process.execve(process.execPath, [process.execPath, '-e', ${JSON.stringify(after)}]);`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', code], {
      encoding: 'utf8',
    });
    return stdout === '' ? stderr : JSON.parse(stdout);
  }

  it('keeps what is named over execve, and nothing else', () => {
    const folder = mkdtempSync(join(tmpdir(), 'wasmlet-os-'));
    const path = join(folder, 'secret');
    writeFileSync(path, 'text', { mode: 0o600 });
    const seen = { uid: [range.first, range.first, range.first], groups: [range.first], back: 'EPERM', chown: 'EPERM' };
    const all = become('CAPABILITY.dacOverride', path);
    assert.deepEqual(all, { ...seen, effective: '0000000000000002', bounding: '0000000000000002', read: 'text' });
    chmodSync(folder, 0o755);
    // Without the right to pass all folders the binary itself may be out of reach, which is an end as good.
    const none = become('', path);
    if (typeof none !== 'string')
      assert.deepEqual(none, { ...seen, effective: '0000000000000000', bounding: '0000000000000000', read: 'EACCES' });
    rmSync(folder, { recursive: true });
  });
});
