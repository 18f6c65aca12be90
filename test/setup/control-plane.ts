import { readFileSync } from 'node:fs';
import { symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../processes/command.ts';
import { cached, cachePath, hashOf, intoCache } from './cache.ts';
import { goCommand } from './go.ts';
import type { Step } from './step.ts';

const SOURCE = fileURLToPath(new URL('../cluster/control-plane/', import.meta.url));

/** etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and kubectl in one binary, built from source. */
export const controlPlane: Step = {
  name: 'control-plane',
  what: `the Kubernetes ${version()} control plane with etcd, built from source (Go modules)`,
  size: '400 MB to fetch, 190 MB kept',
  minutes: 9,
  heavy: true,
  after: ['go'],
  present() {
    const path = cached(...place(), 'control-plane');
    if (path === undefined) return undefined;
    return { WASMLET_TEST_CONTROL_PLANE: path, WASMLET_TEST_KUBECTL: join(dirname(path), 'kubectl') };
  },
  async install({ log, signal }) {
    await intoCache(cachePath(...place()), async (folder) => {
      const { argv, env } = goCommand('build', '-trimpath', '-buildvcs=false', '-ldflags', linkerFlags());
      await run(['nice', '-n', '10', ...argv, '-o', join(folder, 'control-plane'), '.'], {
        cwd: SOURCE,
        env,
        log,
        signal,
      });
      // The binary is the part whose name it is called by: tests and people get a `kubectl` of the same version.
      await symlink('control-plane', join(folder, 'kubectl'));
    });
  },
};

/** The binary's path; fails when it has not been built. */
export function controlPlaneBinary(): string {
  const path = process.env['WASMLET_TEST_CONTROL_PLANE'] ?? controlPlane.present()?.['WASMLET_TEST_CONTROL_PLANE'];
  if (path === undefined) {
    throw new Error("Cannot start a control plane: its binary is not built (run 'npm test -- --setup control-plane')");
  }
  return path;
}

function version(): string {
  const module = readFileSync(join(SOURCE, 'go.mod'), 'utf8');
  return /k8s\.io\/kubernetes (v\S+)/.exec(module)?.[1] ?? 'unknown';
}

function place(): string[] {
  const files = ['go.mod', 'go.sum', 'main.go'].map((name) => join(SOURCE, name));
  return ['control-plane', `${version()}-${process.arch}-${hashOf({ files, words: [linkerFlags()] })}`];
}

/** Without these the parts call themselves v0.0.0, which clients and version skew checks refuse. */
function linkerFlags(): string {
  const [major, minor] = version().slice(1).split('.');
  const set = { gitVersion: version(), gitMajor: major, gitMinor: minor };
  return [
    '-s -w',
    ...Object.entries(set).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`),
  ].join(' ');
}
