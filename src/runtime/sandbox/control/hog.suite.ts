/** For tests of loop threads: a workload that spins, described as the node does. */
import { join } from 'node:path';
import type { WireSpec } from '../protocol/messages.ts';

export interface HogPlace {
  readonly folder: string;
  /** The rewritten module. */
  readonly path: string;
  readonly kind: 'shared' | 'thread';
  /** Of its pod and its log. */
  readonly number: number;
}

export function hogSpec({ folder, path, kind, number }: HogPlace): WireSpec {
  const key = `pod-${number}/main/0`;
  return {
    key,
    label: key,
    module: { digest: 'sha256:hog', path },
    entrypoint: 'spin',
    args: [],
    env: [],
    workingDir: '/',
    mounts: [],
    listeners: [],
    limits: {},
    logPath: join(folder, `${number}.log`),
    onTerm: 'default',
    execution: { class: kind, optimize: 'lazy' },
  };
}
