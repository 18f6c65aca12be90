/** Random bytes from a pool: one system call for many small requests. Each guest has its own pool. */
import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 4096;

export function pooledRandom(): (bytes: Uint8Array) => void {
  // Made at the first request: many guests never ask.
  let pool = new Uint8Array();
  let used = POOL_BYTES;
  return (bytes) => {
    if (bytes.byteLength > POOL_BYTES / 4) {
      randomFillSync(bytes);
      return;
    }
    if (used + bytes.byteLength > POOL_BYTES) {
      if (pool.byteLength === 0) pool = new Uint8Array(POOL_BYTES);
      randomFillSync(pool);
      used = 0;
    }
    bytes.set(pool.subarray(used, used + bytes.byteLength));
    // What was given out is not kept: a later reader of this process's memory shall not find a guest's keys.
    pool.fill(0, used, used + bytes.byteLength);
    used += bytes.byteLength;
  };
}
