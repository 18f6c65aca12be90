import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { cached, cachePath, intoCache } from './cache.ts';
import { unpackWheel } from './python.ts';
import type { Step } from './step.ts';

const VERSION = '0.13.0.post1';

/** Zig's C compiler, which brings the WASI C library: guests in C need no package of the system and no root. */
export const zig: Step = {
  name: 'zig',
  what: `Zig ${VERSION}, compiles guests in C (PyPI: ziglang)`,
  size: '81 MB to fetch, 380 MB kept',
  minutes: 1,
  after: ['python'],
  present() {
    const path = cached('zig', VERSION, 'ziglang', 'zig');
    return path === undefined ? undefined : { WASMLET_TEST_ZIG: path };
  },
  async install({ log, signal }) {
    await intoCache(cachePath('zig', VERSION), async (folder) => {
      await unpackWheel(`ziglang==${VERSION}`, { folder, log, signal });
      await chmod(join(folder, 'ziglang', 'zig'), 0o755);
    });
  },
};
