import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createSystemLinks, systemLinksFor } from './system-links.ts';

describe('links for log agents', () => {
  it('lead to the logs by the names that agents read, for two tries, and go with the pod', async () => {
    const root = mkdtempSync(join(tmpdir(), 'wasmlet-links-'));
    const folder = join(root, 'data/logs/default_web_u-1');
    mkdirSync(join(folder, 'main'), { recursive: true });
    const links = createSystemLinks(join(root, 'var/log'));
    for (const attempt of [0, 1, 2]) {
      const path = join(folder, 'main', `${attempt}.log`);
      writeFileSync(path, `try ${attempt}`);
      await links.add({
        id: { podUid: 'u-1', container: 'main', attempt },
        namespace: 'default',
        pod: 'web',
        path,
        folder,
      });
    }
    assert.equal(readlinkSync(join(root, 'var/log/pods/default_web_u-1')), folder);
    const names = readdirSync(join(root, 'var/log/containers'));
    assert.equal(names.length, 2);
    for (const name of names) assert.match(name, /^web_default_main-[0-9a-f]{64}\.log$/);
    assert.deepEqual(names.map((name) => readFileSync(join(root, 'var/log/containers', name), 'utf8')).sort(), [
      'try 1',
      'try 2',
    ]);
    await links.remove({ folderName: 'default_web_u-1', logs: folder });
    assert.deepEqual(
      [...readdirSync(join(root, 'var/log/pods')), ...readdirSync(join(root, 'var/log/containers'))],
      [],
    );
    rmSync(root, { recursive: true });
  });

  it('are made by root on the default directory only', () => {
    assert.equal(systemLinksFor('/var/lib/wasmlet', 1000), undefined);
    assert.equal(systemLinksFor('/home/x/.wasmlet', 0), undefined);
    assert.ok(systemLinksFor('/var/lib/wasmlet', 0));
  });
});
