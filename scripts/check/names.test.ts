import assert from 'node:assert/strict';
import { it } from 'node:test';
import { names } from './names.ts';
import { treeOf } from './rule.ts';

function findings(files: Record<string, string>): readonly string[] {
  return names.check(treeOf({ 'docs/names.md': '', ...files })) as readonly string[];
}

const unknown: Record<string, [path: string, text: string]> = {
  'an annotation': ['src/node/a.ts', "const A = 'wasmlet.dev/unheard-of';"],
  'an annotation in a manifest': ['examples/a/pod.yaml', 'wasmlet.dev/unheard-of: "1"'],
  'a variable': ['src/cli/a.ts', "process.env['WASMLET_UNHEARD_OF']"],
  'a variable of the tests': ['test/a.test.ts', 'WASMLET_TEST_UNHEARD_OF'],
  'a variable in a script of bin': ['bin/wasmlet', 'process.env.WASMLET_UNHEARD_OF'],
  'a port': ['src/node/a.ts', 'const HEALTH_PORT = 10999;'],
  'a metric': ['src/node/a.ts', "'wasmlet_unheard_of_total'"],
  'a path': ['src/node/a.ts', "'/var/lib/unheard-of'"],
  'a media type': ['src/oci/a.ts', "'application/vnd.unheard-of.v1+json'"],
  'an exit code': ['src/cli/exit.ts', 'const EXIT = { done: 0 } as const;'],
};
for (const [what, [path, text]] of Object.entries(unknown)) {
  it(`finds ${what} without a row`, () => {
    const found = findings({ [path]: text });
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0] ?? '', new RegExp(`^${path}.*no row`));
  });
}

it('is content with a row for each', () => {
  const page = Object.values(unknown)
    .map(([, text]) => text)
    .join('\n');
  const rows = `| 0 | done |\n${page}`;
  assert.deepEqual(findings({ 'docs/names.md': rows, ...Object.fromEntries(Object.values(unknown)) }), []);
});

it('finds a row whose name is gone from the source, and one whose name is made by a template', () => {
  const page = '| `WASMLET_OLD` | x |\n| `wasmlet.dev/old` | x |\n| `WASMLET_TEST_MADE_1` | x |';
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the source that is checked has one
  const found = findings({ 'docs/names.md': page, 'test/a.ts': '`WASMLET_TEST_MADE_${n}`' });
  assert.equal(found.length, 2);
});

it('reads no tests for what only the source decides', () => {
  assert.deepEqual(findings({ 'src/node/a.test.ts': "const PORT = 12345; 'wasmlet.dev/anything'" }), []);
});
