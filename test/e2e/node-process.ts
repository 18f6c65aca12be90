/** `wasmlet` as a process of a test: started in the foreground, killed and started again on the same data directory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { NodeProcess } from './world.ts';

export const WASMLET = fileURLToPath(new URL('../../bin/wasmlet', import.meta.url));

export interface NodeProcessOptions {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly log: string;
  /** Resolves when the node is as far as the tests need it. */
  readonly ready: () => Promise<void>;
}

export function nodeProcess({ args, env = {}, log, ready }: NodeProcessOptions): NodeProcess {
  let child: ChildProcess | undefined;
  let gone: Promise<void> = Promise.resolve();
  function tail(): string {
    return readFileSync(log, 'utf8').split('\n').slice(-40).join('\n');
  }
  async function start(): Promise<void> {
    const output = openSync(log, 'a');
    const started = spawn(process.execPath, [WASMLET, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', output, output],
    });
    child = started;
    gone = new Promise((resolve) => started.once('exit', () => resolve()));
    const failed = gone.then(() => {
      throw new Error(`Cannot start the node: it ended with ${started.exitCode ?? started.signalCode}\n${tail()}`);
    });
    failed.catch(() => {});
    await Promise.race([ready(), failed]);
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    child?.kill(signal);
    await gone;
  }
  return {
    get pid() {
      return child?.exitCode === null && child.signalCode === null ? child.pid : undefined;
    },
    start,
    end,
    tail,
  };
}
