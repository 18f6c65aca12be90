import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { Tree } from './tree.ts';

const top = mkdtempSync(join(tmpdir(), 'wasmlet-tree-'));
after(() => rmSync(top, { recursive: true, force: true }));
const isRoot = process.getuid?.() === 0;

let root = '';
let outside = '';
let tree = new Tree('/');

beforeEach(() => {
  root = mkdtempSync(join(top, 'root-'));
  outside = mkdtempSync(join(top, 'outside-'));
  writeFileSync(join(outside, 'shadow'), 'secret', { mode: 0o600 });
  mkdirSync(join(outside, 'folder'));
  tree = new Tree(root);
});

/** Somebody who changes a folder for a link to another, and back, as quickly as it goes. */
async function swapping(use: () => void | Promise<void>): Promise<void> {
  mkdirSync(join(root, 'real'), { recursive: true });
  symlinkSync(outside, join(root, 'link'));
  const script = `const { renameSync } = require('node:fs'); process.chdir(${JSON.stringify(root)}); process.stdout.write('x');
    for (;;) for (const [name, aside] of [['real', 'real.aside'], ['link', 'link.aside']])
      try { renameSync(name, 'at'); } catch {} finally { try { renameSync('at', name); } catch {} }`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    await once(child.stdout, 'data');
    await use();
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

describe('a tree', () => {
  it('makes folders with the permissions that are asked for, and leaves what is there', () => {
    tree.makeFolder('a/b', { mode: 0o777 });
    assert.equal(statSync(join(root, 'a')).mode & 0o777, 0o755);
    assert.equal(statSync(join(root, 'a/b')).mode & 0o777, 0o777);
    tree.makeFolder(join(root, 'a/b'), { mode: 0o700 });
    assert.equal(statSync(join(root, 'a/b')).mode & 0o777, 0o777);
    tree.makeFolderWith('a/b', 0o700);
    assert.equal(statSync(join(root, 'a/b')).mode & 0o777, 0o700);
  });

  it('gives what it makes to whom its root belongs', { skip: !isRoot && 'this process may give no file away' }, () => {
    chownSync(root, 1_900_000_009, 1_900_000_009);
    tree.makeFolder('a/b');
    tree.writeFile('a/b/c', { content: 'x', mode: 0o600 });
    for (const name of ['a', 'a/b', 'a/b/c']) assert.equal(lstatSync(join(root, name)).uid, 1_900_000_009);
  });

  it('writes a file anew, whatever has its name: no link is written through, hard ones included', () => {
    const tricks: (() => unknown)[] = [
      () => symlinkSync(join(outside, 'shadow'), join(root, 'f')),
      () => symlinkSync(join(outside, 'not-there'), join(root, 'f')),
      () => linkSync(join(outside, 'shadow'), join(root, 'f')),
      () => spawnSync('mkfifo', [join(root, 'f')]),
    ];
    for (const trick of tricks) {
      rmSync(join(root, 'f'), { force: true });
      trick();
      tree.writeFile('f', { content: 'ours', mode: 0o666 });
      assert.equal(readFileSync(join(root, 'f'), 'utf8'), 'ours');
      assert.equal(lstatSync(join(root, 'f')).mode & 0o777, 0o666);
    }
    assert.equal(readFileSync(join(outside, 'shadow'), 'utf8'), 'secret');
    assert.deepEqual(readdirSync(outside).sort(), ['folder', 'shadow']);
    mkdirSync(join(root, 'd'));
    assert.throws(() => tree.writeFile('d', { content: '', mode: 0o600 }), { code: 'EISDIR' });
  });

  it('reads ordinary files with one name, and no more than was asked for', () => {
    writeFileSync(join(root, 'f'), 'text');
    assert.equal(String(tree.read('f', 4)), 'text');
    assert.equal(tree.read('f', 3), undefined);
    linkSync(join(root, 'f'), join(root, 'hard'));
    symlinkSync('f', join(root, 'soft'));
    spawnSync('mkfifo', [join(root, 'pipe')]);
    symlinkSync('/proc/self/environ', join(root, 'magic'));
    if (isRoot) spawnSync('mknod', [join(root, 'device'), 'c', '1', '5']);
    for (const name of ['f', 'hard', 'soft', 'pipe', 'magic', 'device', '.', 'nothing', 'f/below'])
      assert.equal(tree.read(name, 100), undefined, name);
  });

  it('refuses every path that leads through a link, or out', async () => {
    symlinkSync(outside, join(root, 'l'));
    symlinkSync('.', join(root, 'same'));
    for (const path of ['l/folder', 'l', 'same/x']) {
      assert.throws(() => tree.makeFolder(path), { code: /^(ELOOP|ENOTDIR)$/ }, path);
      assert.deepEqual(tree.names(path, 10), []);
    }
    assert.throws(() => tree.writeFile('l/new', { content: '', mode: 0o600 }), { code: /^(ELOOP|ENOTDIR)$/ });
    for (const path of ['../x', 'a/../../x', `${outside}/x`, '/etc/x'])
      assert.throws(() => tree.makeFolder(path), { code: 'EXDEV' });
    await tree.remove('l/folder');
    await assert.rejects(tree.remove(''), { code: 'EINVAL' });
    assert.deepEqual(readdirSync(outside).sort(), ['folder', 'shadow']);
  });

  it('removes all below a name, and only the links of what is elsewhere', async () => {
    for (let at = 0; at < 3000; at++) {
      if (at % 1000 === 0) mkdirSync(join(root, `x/${at}`), { recursive: true });
      writeFileSync(join(root, `x/${at - (at % 1000)}/${at}`), '');
    }
    symlinkSync(outside, join(root, 'x/link'));
    symlinkSync('/', join(root, 'x/root'));
    writeFileSync(Buffer.concat([Buffer.from(`${root}/x/`), Buffer.from([0xff, 0xfe, 0x0a])]), '');
    spawnSync('mkfifo', [join(root, 'x/pipe')]);
    chmodSync(join(root, 'x/1000'), 0);
    await tree.remove('x');
    await tree.remove('x');
    assert.deepEqual(readdirSync(root), []);
    assert.ok(existsSync(join(outside, 'shadow')));
  });

  it('removes folders that are deeper than descriptors and paths reach', async () => {
    // From within, as a path this long cannot be said.
    const script = "for (let at = 0; at < 700; at++) { fs.mkdirSync('deeper'); process.chdir('deeper'); }";
    tree.makeFolder('x');
    spawnSync(process.execPath, ['-e', script], { cwd: join(root, 'x') });
    await tree.remove('x');
    assert.deepEqual(readdirSync(root), []);
  });

  it('resolves paths in a folder: links as far as they stay in it', () => {
    tree.makeFolder('v/a');
    symlinkSync('a', join(root, 'v/inner'));
    symlinkSync('../..', join(root, 'v/up'));
    symlinkSync(outside, join(root, 'v/out'));
    symlinkSync('nothing', join(root, 'v/broken'));
    assert.equal(tree.resolve('v', ['inner', 'b', 'c']), join(root, 'v/a/b/c'));
    assert.equal(tree.resolve('v', []), join(root, 'v'));
    for (const path of [['up', 'x'], ['out', 'x'], ['out'], ['broken', 'x'], ['..', 'x']])
      assert.throws(() => tree.resolve('v', path), path.join('/'));
    assert.deepEqual(readdirSync(outside).sort(), ['folder', 'shadow']);
    assert.deepEqual(readdirSync(root), ['v']);
  });

  it('is not raced: a folder that turns into a link and back is used as a folder, or not at all', async () => {
    const before = statSync(outside).ctimeMs;
    await swapping(async () => {
      for (let round = 0; round < 500; round++) {
        for (const use of [
          () => tree.makeFolder('at/made/below'),
          () => tree.writeFile('at/shadow', { content: 'ours', mode: 0o666 }),
          () => assert.notEqual(String(tree.read('at/shadow', 100)), 'secret'),
          () => assert.ok(!tree.names('at', 100).includes('folder')),
          () => tree.makeLink('at/link', 'x'),
        ])
          try {
            use();
          } catch (error) {
            assert.match(
              String((error as NodeJS.ErrnoException).code),
              /^(ENOENT|ELOOP|ENOTDIR|EXDEV)$/,
              String(error),
            );
          }
        if (round % 20 === 0) {
          await tree.remove('at/shadow');
          await tree.remove('at/made');
        }
      }
    });
    assert.equal(readFileSync(join(outside, 'shadow'), 'utf8'), 'secret');
    assert.equal(statSync(outside).ctimeMs, before);
    assert.deepEqual(readdirSync(outside).sort(), ['folder', 'shadow']);
  });

  it('removes what is swapped under it, and nothing behind it', async () => {
    for (let round = 0; round < 20; round++) {
      tree.makeFolder('victim/deep/er');
      writeFileSync(join(root, 'victim/deep/er/file'), '');
      const removed = tree.remove('victim');
      try {
        renameSync(join(root, 'victim/deep'), join(root, 'kept'));
        symlinkSync(outside, join(root, 'victim/deep'));
      } catch {
        // It was quicker.
      }
      await removed;
      assert.ok(!existsSync(join(root, 'victim')));
      await tree.remove('kept');
    }
    assert.deepEqual(readdirSync(outside).sort(), ['folder', 'shadow']);
  });
});

describe('a tree without node:ffi', () => {
  it('walks name by name, and follows no more', () => {
    const script = `
      import { Tree } from ${JSON.stringify(new URL('./tree.ts', import.meta.url).href)};
      import { ffiAvailable } from ${JSON.stringify(new URL('./ffi.ts', import.meta.url).href)};
      const tree = new Tree(${JSON.stringify(root)});
      tree.makeFolder('a/b');
      tree.writeFile('a/b/c', { content: 'x', mode: 0o600 });
      const failed = [];
      for (const use of [() => tree.makeFolder('l/x'), () => tree.writeFile('l/x', { content: '', mode: 0o600 }), () => tree.folder('l')])
        try { use(); } catch (error) { failed.push(error.code); }
      await tree.remove('l/folder');
      const read = [tree.read('a/b/c', 1), tree.read('l/shadow', 100)].map(String);
      await tree.remove('a');
      console.log(JSON.stringify({ ffi: ffiAvailable(), failed: failed.length, read }));`;
    symlinkSync(outside, join(root, 'l'));
    const args = ['--no-experimental-ffi', '--no-warnings', '--input-type=module', '-e', script];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    assert.deepEqual(JSON.parse(stdout || 'null'), { ffi: false, failed: 3, read: ['x', 'undefined'] }, stderr);
    assert.deepEqual(readdirSync(root), ['l']);
    assert.deepEqual(readdirSync(outside).sort(), ['folder', 'shadow']);
  });
});
