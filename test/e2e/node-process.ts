/** `wasmlet` as a process of a test: started in the foreground or detached, killed and started again on the same data directory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { holderOf } from '../../src/cli/node-process.ts';
import { run } from '../processes/command.ts';
import type { NodeProcess } from './world.ts';

export const WASMLET = fileURLToPath(new URL('../../bin/wasmlet', import.meta.url));

export interface NodeProcessOptions {
  readonly args: readonly string[];
  readonly dataDir: string;
  readonly log: string;
  /** Resolves when the node is as far as the tests need it. */
  readonly ready: () => Promise<void>;
}

export interface StartOptions {
  /** Another build's `bin/wasmlet`. */
  readonly program?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly detach?: boolean;
}

export function nodeProcess({ args, dataDir, log, ready }: NodeProcessOptions): NodeProcess {
  let detached = false;
  let gone: Promise<unknown> = Promise.resolve();
  function tail(): string {
    const path = detached ? `${dataDir}/node.log` : log;
    return readFileSync(path, 'utf8').split('\n').slice(-40).join('\n');
  }
  async function start({ program = WASMLET, env = {}, detach = false }: StartOptions = {}): Promise<void> {
    detached = detach;
    if (detach) {
      await run([process.execPath, program, ...args, '--detach'], { env });
      return await ready();
    }
    const started = spawnInto(log, [program, ...args], { ...process.env, ...env });
    const ended = new Promise<unknown>((resolve) => {
      started.once('exit', (code, signal) => resolve(code ?? signal));
    });
    gone = ended;
    const failed = ended.then((how) => {
      throw new Error(`Cannot start the node: it ended with ${how}\n${tail()}`);
    });
    failed.catch(() => {});
    await Promise.race([ready(), failed]);
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    const pid = holderOf(dataDir);
    if (pid !== undefined) process.kill(pid, signal);
    while (holderOf(dataDir) !== undefined) await setTimeout(20);
    await gone;
  }
  return {
    get pid() {
      return holderOf(dataDir);
    },
    get detached() {
      return detached;
    },
    start,
    end,
    tail,
  };
}

function spawnInto(log: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const output = openSync(log, 'a');
  return spawn(process.execPath, [...args], { env, stdio: ['ignore', output, output] });
}
