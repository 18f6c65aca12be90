/** The command as a person types it: `bin/wasmlet` of this checkout, in a folder of its own. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommandOptions, type CommandResult, run } from '../processes/command.ts';

export const ROOT = join(import.meta.dirname, '..', '..');
export const SCRIPTED = join(ROOT, 'guests', 'scripted', 'scripted.wasm');
export const NUMBERS = join(ROOT, 'guests', 'numbers', 'numbers.wasm');
const BIN = join(ROOT, 'bin', 'wasmlet');

export class Place implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), 'wasmlet-cli-'));

  path(name: string): string {
    return join(this.dir, name);
  }

  get env(): Record<string, string> {
    return { WASMLET_DATA_DIR: this.path('data'), HOME: this.dir, KUBECONFIG: '', NO_COLOR: '1' };
  }

  wasmlet(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return run([process.execPath, BIN, ...args], {
      accept: 'any',
      cwd: this.dir,
      ...options,
      env: { ...this.env, ...options.env },
    });
  }

  /** Sends `signal` once the command has written `after`; answers its exit code as a shell shows it. */
  interrupted(args: readonly string[], { signal, after }: { signal: 'SIGINT' | 'SIGTERM'; after: RegExp }) {
    const child = spawn(process.execPath, [BIN, ...args], {
      cwd: this.dir,
      env: { ...process.env, ...this.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    let sent = false;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (!sent && after.test(text)) sent = child.kill(signal);
      });
    }
    return new Promise<{ code: number; text: string }>((resolve) => {
      child.on('close', (code, by) => resolve({ code: code ?? 128 + (by === 'SIGINT' ? 2 : 15), text }));
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
