/** A process for the store's test: writes a blob of random-looking bytes slowly and says when it has begun, or when it is done. */
import { sha256Of } from '../digest.ts';
import { ContentStore } from './store.ts';

const [directory = '', size = '0', mode = 'whole'] = process.argv.slice(2);
const bytes = Buffer.alloc(Number(size), 5);
const store = await ContentStore.open(directory);
await store.fill({ digest: sha256Of(bytes), size: bytes.length }, async (ingest) => {
  await ingest.rewind();
  for (let at = 0; at < bytes.length; at += 4096) {
    await ingest.write(bytes.subarray(at, at + 4096));
    if (mode === 'half' && at >= bytes.length / 2) {
      process.stdout.write('half\n');
      await new Promise((resolve) => setTimeout(resolve, 600_000));
    }
  }
});
process.stdout.write('done\n');
