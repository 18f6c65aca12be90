import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to this process's environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  readonly signal?: AbortSignal | undefined;
  /** Takes standard output and standard error as they come. */
  readonly log?: (text: string) => void;
  /** Exit codes that are no failure, besides 0; 'any' for all. */
  readonly accept?: readonly number[] | 'any';
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end; fails with its last words when its exit code is not one that is accepted. */
export function run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [file = '', ...args] = argv;
  const { cwd, env, input, signal, log, accept = [] } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      ...(cwd === undefined ? {} : { cwd }),
      ...(signal === undefined ? {} : { signal }),
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const out = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        out[name] += text;
        log?.(text);
      });
    }
    child.on('error', (error) => reject(new Error(`Cannot run ${file}: ${error.message}`, { cause: error })));
    child.on('close', (status, by) => {
      const code = status ?? -1;
      if (code === 0 || accept === 'any' || accept.includes(code)) return resolve({ code, ...out });
      const words = (out.stderr.trim() || out.stdout.trim()).split('\n').slice(-12).join('\n');
      reject(new Error(`Cannot run '${argv.join(' ')}': it ended with ${by ?? code}\n${words}`));
    });
    child.stdin.on('error', () => {}); // it ended before it read its input: its exit code says why
    child.stdin.end(input ?? '');
  });
}

/** Where a command is: in PATH, or in the folders of system tools that a user's PATH often lacks. */
export function which(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    if (folder === '') continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not here
    }
  }
  return undefined;
}

/** The path of a command that must be there. */
export function need(name: string): string {
  const path = which(name);
  if (path === undefined)
    throw new Error(`Cannot find the command '${name}': it is not installed (npm test installs it)`);
  return path;
}
