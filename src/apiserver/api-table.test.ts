import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { apiDocument } from './api-table.ts';

describe('docs/api.md', () => {
  it('is what the table of kinds says', () => {
    const written = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');
    assert.equal(written, apiDocument(), 'run: node scripts/generate-api-doc.ts');
  });
});
