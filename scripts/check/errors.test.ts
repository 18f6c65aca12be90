import assert from 'node:assert/strict';
import { it } from 'node:test';
import { errors } from './errors.ts';
import { treeOf } from './rule.ts';

const SOURCE = "export const OCI_ERRORS = {\n  OCI_GONE: { retry: 'later', blame: 'user' },\n} as const;";
const ROW = '## oci\n| `OCI_GONE` | later | it went | look |';

function findings(files: Record<string, string>): readonly string[] {
  return errors.check(treeOf(files)) as readonly string[];
}

it('is content when code and page agree', () => {
  assert.deepEqual(findings({ 'src/oci/errors.ts': SOURCE, 'docs/errors.md': ROW }), []);
});

const wrong: Record<string, [files: Record<string, string>, words: RegExp]> = {
  'a code without a row': [{ 'src/oci/errors.ts': SOURCE, 'docs/errors.md': '' }, /has no row/],
  'a row without a code': [{ 'docs/errors.md': ROW }, /in no errors\.ts/],
  'another retry': [
    { 'src/oci/errors.ts': SOURCE, 'docs/errors.md': ROW.replace('later', 'never') },
    /'never', the code says 'later'/,
  ],
  'another room': [{ 'src/oci/errors.ts': SOURCE, 'docs/errors.md': ROW.replace('oci', 'kube') }, /under 'kube'/],
  'a row that is there twice': [{ 'src/oci/errors.ts': SOURCE, 'docs/errors.md': `${ROW}\n${ROW}` }, /twice/],
  'a reason for a code that is not there': [
    { 'src/oci/errors.ts': SOURCE, 'docs/errors.md': ROW, 'src/kube/reasons.ts': "  OCI_OTHER: { reason: 'X' }," },
    /'OCI_OTHER' is in no errors\.ts/,
  ],
};
for (const [what, [files, words]] of Object.entries(wrong)) {
  it(`finds ${what}`, () => {
    const found = findings(files);
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0] ?? '', words);
  });
}

it('does not count codes in comments', () => {
  assert.deepEqual(findings({ 'src/oci/errors.ts': `/**\n${SOURCE}\n*/` }), []);
});
