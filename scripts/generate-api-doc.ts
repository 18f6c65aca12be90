/** Writes `docs/api.md` from the embedded API's table of kinds. Run by hand when the table changes; a test tells when it was forgotten. */
import { writeFileSync } from 'node:fs';
import { apiDocument } from '#apiserver/table';

writeFileSync(new URL('../docs/api.md', import.meta.url), apiDocument());
