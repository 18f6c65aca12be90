import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cycles, doors, rooms } from './rooms.ts';
import { type Rule, treeOf } from './rule.ts';

const PACKAGE = JSON.stringify({
  imports: {
    '#kit': './src/kit/mod.ts',
    '#kube': './src/kube/mod.ts',
    '#oci': './src/oci/mod.ts',
    '#node': './src/node/mod.ts',
  },
});

function findings(rule: Rule, files: Record<string, string>): readonly string[] {
  return rule.check(treeOf({ 'package.json': PACKAGE, ...files })) as readonly string[];
}

describe('rooms', () => {
  it('lets a room use its own files, lower rooms by their doors, packages and builtins', () => {
    const text =
      "import { a } from '#kit';\nimport { b } from '../x.ts';\nimport 'node:fs';\nimport { c } from 'yaml';\n";
    assert.deepEqual(findings(rooms, { 'src/kube/http/y.ts': text }), []);
  });

  const refused: Record<string, [from: string, text: string, words: RegExp]> = {
    'a neighbour on the floor': ['src/kube/a.ts', "import { x } from '#oci';", /neighbour/],
    'a room above': ['src/kube/a.ts', "import type { x } from '#node';", /above/],
    'a way around the door': ['src/node/a.ts', "import { x } from '../kube/http/y.ts';", /by its door/],
    'a door that is not there': ['src/node/a.ts', "import { x } from '#kube/secret';", /no such door/],
    'a way out of src': ['src/node/a.ts', "import { x } from '../../test/x.ts';", /by its door/],
    'a re-export': ['src/kube/a.ts', "export { x } from '#oci';", /neighbour/],
    'a lazy import': ['src/kube/a.ts', "const x = await import('#oci');", /neighbour/],
    'several lines': ['src/kube/a.ts', "import {\n  x,\n  y,\n} from '#oci';", /a\.ts:1: .*neighbour/],
    'a builtin without node:': ['src/kube/a.ts', "import { x } from 'fs/promises';", /node:/],
    'a file of no room': ['src/a.ts', "import { x } from '#kit';", /no room/],
  };
  for (const [what, [path, text, words]] of Object.entries(refused)) {
    it(`refuses ${what}`, () => {
      const found = findings(rooms, { [path]: text });
      assert.equal(found.length, 1);
      assert.match(found[0] ?? '', words);
    });
  }

  it('does not read comments', () => {
    assert.deepEqual(
      findings(rooms, { 'src/kube/a.ts': "// import { x } from '#oci';\n/*\nimport { y } from '#oci';\n*/" }),
      [],
    );
  });
});

describe('doors', () => {
  it('refuses a way around a door from outside, and lets doors pass', () => {
    const files = { 'src/kit/mod.ts': '', 'src/kit/log.ts': '' };
    assert.deepEqual(findings(doors, { ...files, 'test/a.ts': "import { x } from '../src/kit/mod.ts';" }), []);
    assert.equal(findings(doors, { ...files, 'test/a.ts': "import { x } from '../src/kit/log.ts';" }).length, 1);
  });
});

describe('cycles', () => {
  it('finds a file that loads itself by way of others', () => {
    const found = findings(cycles, {
      'src/kit/a.ts': "import { b } from './b.ts';",
      'src/kit/b.ts': "export { c } from './c.ts';",
      'src/kit/c.ts': "import { a } from './a.ts';",
    });
    assert.deepEqual(found, ['src/kit/a.ts → src/kit/b.ts → src/kit/c.ts → src/kit/a.ts']);
  });

  it('lets types and lazy imports go round', () => {
    const files = { 'src/kit/a.ts': "import { b } from './b.ts';", 'src/kit/b.ts': "import type { A } from './a.ts';" };
    assert.deepEqual(findings(cycles, files), []);
    assert.deepEqual(findings(cycles, { ...files, 'src/kit/b.ts': "await import('./a.ts');" }), []);
  });
});
