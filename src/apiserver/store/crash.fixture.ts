/** A writer that is killed: it answers each write on stdout, as the server answers a request. Run by `crash.test.ts`. */
import { writeSync } from 'node:fs';
import { Store } from './store.ts';

const store = new Store(process.argv[2] ?? '', { history: 64 });
for (let at = store.revision; ; at++) {
  const name = `pod-${at % 50}`;
  const where = { storage: 'pods', namespace: 'default', name };
  if (at % 7 === 6) {
    const gone = store.remove(where);
    store.flush();
    if (gone !== undefined) writeSync(1, `${gone.revision} remove ${name}\n`);
  }
  const filler = 'x'.repeat((at * 37) % 5000);
  const entry = store.put(where, { metadata: { name }, filler, check: filler.length });
  store.flush();
  writeSync(1, `${entry.revision} put ${name}\n`);
}
