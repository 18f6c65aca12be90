import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { anywhere, links, lockfile, sizes } from './files.ts';
import { type Rule, treeOf } from './rule.ts';

function findings(rule: Rule, files: Record<string, string>): readonly string[] {
  return rule.check(treeOf(files)) as readonly string[];
}

describe('sizes', () => {
  it('lets 400 lines pass and finds 401', () => {
    assert.deepEqual(findings(sizes, { 'src/kit/a.ts': 'x\n'.repeat(400) }), []);
    assert.match(findings(sizes, { 'src/kit/a.ts': 'x\n'.repeat(401) })[0] ?? '', /401 lines/);
  });

  it('does not count what a generator wrote', () => {
    assert.deepEqual(findings(sizes, { 'src/kube/types/a.generated.ts': 'x\n'.repeat(5000) }), []);
  });

  it('refuses a name that says nothing', () => {
    assert.equal(findings(sizes, { 'src/kit/utils.ts': '' }).length, 1);
  });
});

describe('lockfile', () => {
  it('finds a download address, and lets integrity pass', () => {
    assert.deepEqual(findings(lockfile, { 'package-lock.json': '{ "integrity": "sha512-x" }' }), []);
    assert.equal(
      findings(lockfile, { 'package-lock.json': '{\n"resolved"' + ': "https://example.com/x.tgz" }' }).length,
      1,
    );
  });
});

describe('anywhere', () => {
  for (const path of ['/work' + '/main/x', '/root' + '/.cache', '/home' + '/somebody/src']) {
    it(`finds ${path}`, () => {
      assert.equal(findings(anywhere, { 'docs/a.md': `see ${path} there` }).length, 1);
    });
  }

  it('lets words pass that only look like one', () => {
    assert.deepEqual(
      findings(anywhere, { 'docs/a.md': 'a/work' + '/flow, $HOME/x, ./root/dir, /var/lib/wasmlet' }),
      [],
    );
  });
});

describe('links', () => {
  it('finds a link that leads nowhere, and follows files, folders and parents', () => {
    const files = {
      'README.md': '[a](docs/a.md) [d](docs) [w](https://example.com) [h](#here)',
      'docs/a.md': '[up](../README.md#x)',
    };
    assert.deepEqual(findings(links, files), []);
    assert.match(findings(links, { 'docs/a.md': 'see\n[b](b.md)' })[0] ?? '', /docs\/a\.md:2: 'b\.md'/);
  });
});
