/** kubectl of the versions that `npm test` fetched, or the machine's own when run by hand. */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommandOptions, type CommandResult, run, which } from '../processes/command.ts';
import type { TestServer } from './server.ts';

export interface Kubectl {
  readonly version: string;
  readonly path: string;
}

export function kubectls(): Kubectl[] {
  const found = ['1.32', '1.35', '1.36'].flatMap((version) => {
    const path = process.env[`WASMLET_TEST_KUBECTL_${version.replace('.', '')}`];
    return path === undefined ? [] : [{ version, path }];
  });
  const own = which('kubectl');
  return found.length > 0 || own === undefined ? found : [{ version: 'of the machine', path: own }];
}

export type Ask = (line: string, options?: CommandOptions) => Promise<CommandResult>;

/** Words of `line` are split at spaces; quote with single quotes. */
export async function asker({ path }: Kubectl, server: TestServer, { namespace }: { namespace: string }): Promise<Ask> {
  const home = await mkdtemp(join(server.dir, 'home-'));
  return (line, options = {}) => {
    const args = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
    const argv = [path, `--kubeconfig=${server.kubeconfig}`, `--namespace=${namespace}`, ...args];
    return run(argv, { ...options, env: { HOME: home, ...options.env } });
  };
}
