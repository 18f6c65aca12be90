import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { which } from './command.ts';

export interface DaemonOptions {
  /** For messages, and the log file's name. */
  readonly name: string;
  readonly argv: readonly string[];
  /** Put before argv, to start it in a network namespace (see test/netns/namespace.ts). */
  readonly enter?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly log: string;
}

/**
 * A program that a test starts, stops, kills, pauses and starts again. The kernel kills it when the test's process dies,
 * however that dies: nothing is left behind.
 */
export class Daemon {
  readonly name: string;
  readonly #options: DaemonOptions;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();

  constructor(options: DaemonOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.running ? this.#child?.pid : undefined;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts it; does not wait until it is ready. */
  start(): void {
    if (this.running) return;
    const { argv, enter = [], env, log } = this.#options;
    const output = openSync(log, 'a');
    const [file = '', ...args] = [...enter, ...dieWithParent(), ...argv];
    const child = spawn(file, args, { stdio: ['ignore', output, output], env: { ...process.env, ...env } });
    closeSync(output);
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    // A test that waits for something else should not be kept alive by a program that it forgot.
    child.unref();
  }

  /** Sends a signal, and waits for the end when the signal is one that ends it. */
  async signal(name: NodeJS.Signals): Promise<void> {
    if (!this.running) return;
    this.#child?.kill(name);
    if (name === 'SIGKILL') await this.ended();
  }

  pause(): Promise<void> {
    return this.signal('SIGSTOP');
  }

  resume(): Promise<void> {
    return this.signal('SIGCONT');
  }

  /** SIGTERM, then SIGKILL when it has not ended `grace` milliseconds later. */
  async stop({ grace = 5_000 }: { grace?: number } = {}): Promise<void> {
    if (!this.running) return;
    this.#child?.kill('SIGTERM');
    this.#child?.kill('SIGCONT');
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), grace);
    await this.ended();
    clearTimeout(timer);
  }

  async ended(): Promise<void> {
    this.#child?.ref();
    await this.#exited;
  }

  /** The last lines that it wrote, for the message of a failed test. */
  tail(lines = 20): string {
    return readFileSync(this.#options.log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }
}

function dieWithParent(): string[] {
  const setpriv = which('setpriv');
  return setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'KILL', '--'];
}
