/**
 * The groups of tests that `npm test` runs, in this order where nothing else decides. A group whose files do not exist
 * yet is not listed. `npm test -- --list` prints this table.
 */
export interface Group {
  readonly name: string;
  /** One line for people. */
  readonly what: string;
  /** Names of setup steps (test/setup/mod.ts) that must be done first. */
  readonly needs: readonly string[];
  /** Test files, as globs from the repository's root; or a script of ours that ends with `N passed, N failed`. */
  readonly files: readonly string[];
  readonly script?: string;
  /** Part of `--quick`: needs nothing installed, and few seconds. */
  readonly quick?: boolean;
  /** Needs root: `some`, as one has in a user namespace of one's own; `real`, the machine's. */
  readonly root?: 'some' | 'real';
  /**
   * Runs in a network namespace of its own, whose host address is 10.250.0.1 (test/netns/namespace.ts); without root, and where
   * the group does not need it, in the machine's. No port of the machine is in its way, and what it leaves behind is found.
   */
  readonly ownNetwork?: boolean;
  /** Runs while nothing else does: its tests wait for things that a busy machine would delay. */
  readonly alone?: boolean;
  /** Test files at once; 1 where files share ports. */
  readonly concurrency?: number;
  /** A file that takes longer is killed and has failed, and the others go on. Default: the group's limit. */
  readonly fileSeconds?: number;
  /** Ended as failed after this long. */
  readonly limitMinutes: number;
}

export const groups: readonly Group[] = [
  {
    name: 'check',
    what: 'types, lint and format, the rules of the house (scripts/check.ts)',
    needs: [],
    files: [],
    script: 'scripts/check.ts',
    quick: true,
    limitMinutes: 5,
  },
  {
    name: 'unit',
    what: 'each file beside its code; no root, no network, nothing installed',
    needs: [],
    files: [
      'src/**/*.test.ts',
      'scripts/**/*.test.ts',
      'test/run/**/*.test.ts',
      'test/setup/**/*.test.ts',
      'bin/**/*.test.ts',
    ],
    quick: true,
    fileSeconds: 120,
    limitMinutes: 10,
  },
  {
    name: 'guests',
    what: 'guests compiled from source, and the compiled copies that are kept beside them',
    needs: ['zig', 'go'],
    files: ['guests/**/*.test.ts', 'test/guests/**/*.test.ts'],
    limitMinutes: 10,
  },
  {
    name: 'network',
    what: 'network namespaces of the tests, and that nothing of them stays behind',
    needs: ['network'],
    files: ['test/netns/**/*.test.ts', 'test/processes/**/*.test.ts'],
    root: 'some',
    limitMinutes: 5,
  },
  {
    name: 'registry',
    what: 'pull and push against a real registry: plain, with authentication, with TLS',
    needs: ['registry', 'network'],
    files: ['test/registry/**/*.test.ts'],
    limitMinutes: 10,
  },
  {
    name: 'sandbox',
    what: 'sandbox processes with what they need of the machine: rights given up, files, listeners',
    needs: ['network'],
    files: ['test/sandbox/**/*.test.ts'],
    root: 'real',
    limitMinutes: 10,
  },
  {
    name: 'escape',
    what: 'each way out that a hostile guest, or native code in a sandbox, may try',
    needs: [],
    files: ['test/escape/**/*.test.ts'],
    alone: true,
    limitMinutes: 10,
  },
  {
    name: 'chaos',
    what: '20 seconds in which a node under load, its sandboxes and its admission are killed, from a fixed seed',
    needs: ['network'],
    files: ['test/chaos/**/*.test.ts'],
    ownNetwork: true,
    alone: true,
    limitMinutes: 10,
  },
  {
    name: 'fuzz',
    what: 'each fuzzer for its part of 20 seconds, from a fixed seed',
    needs: [],
    files: ['test/fuzz/**/*.test.ts'],
    limitMinutes: 5,
  },
  {
    name: 'files',
    what: 'guests on a file system that hangs',
    needs: [],
    files: ['test/files/**/*.test.ts'],
    root: 'some',
    limitMinutes: 5,
  },
  {
    name: 'api',
    what: 'the embedded API, driven by kubectl 1.32, 1.35 and 1.36',
    needs: ['kubectl-1.32', 'kubectl-1.35', 'kubectl-1.36', 'network'],
    files: ['test/api/**/*.test.ts'],
    ownNetwork: true,
    alone: true,
    concurrency: 1,
    limitMinutes: 10,
  },
  {
    name: 'cli',
    what: 'commands as a person types them, and the newcomer’s first start',
    needs: ['network'],
    files: ['test/cli/**/*.test.ts'],
    ownNetwork: true,
    alone: true,
    concurrency: 1,
    limitMinutes: 10,
  },
  {
    name: 'e2e-standalone',
    what: 'pods from apply to deletion, on the standalone node',
    needs: ['kubectl-1.35', 'registry', 'network'],
    files: ['test/e2e/**/*standalone*.test.ts'],
    ownNetwork: true,
    alone: true,
    concurrency: 1,
    limitMinutes: 10,
  },
  {
    name: 'cluster',
    what: 'a real control plane starts, and joining nodes find what kubeadm would leave',
    needs: ['control-plane', 'network'],
    files: ['test/cluster/**/*.test.ts'],
    root: 'some',
    ownNetwork: true,
    alone: true,
    concurrency: 1,
    limitMinutes: 10,
  },
  {
    name: 'e2e-cluster',
    what: 'the same pods, on a node that joined a real control plane',
    needs: ['control-plane', 'registry', 'network'],
    files: ['test/e2e/**/*cluster*.test.ts'],
    root: 'real',
    ownNetwork: true,
    alone: true,
    concurrency: 1,
    limitMinutes: 10,
  },
  {
    name: 'docs',
    what: 'the commands in README and docs do what they say',
    needs: ['network', 'kubectl-1.35'],
    files: ['test/docs/**/*.test.ts'],
    ownNetwork: true,
    alone: true,
    concurrency: 1,
    limitMinutes: 10,
  },
];
