/**
 * The admission process as the node sees it: started when a module is to be looked at, ended when it has been idle for a while, killed
 * when it is late or answers anything but an answer. What comes back is bounded, and goes to a file as it comes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type Clock, entryUrl } from '#kit';
import { ffiAvailable } from '#kit/os';
import type { LaunchPlan } from '../sandbox/launch.ts';
import { Incoming } from './incoming.ts';
import { type Admitted, parseAnswer } from './verdict.ts';

export interface ExaminerOptions {
  readonly node: string;
  readonly clock: Clock;
  readonly insecureTrustedGuests: boolean;
  /** The user that looks at modules; the node's own where none is given. */
  readonly user?: number | undefined;
  /** Milliseconds for one module. */
  readonly patienceMs: number;
  readonly idleMs: number;
}

export interface Examination {
  readonly digest: string;
  /** Where the original is, and its size. */
  readonly path: string;
  readonly size: number;
  /** Where the rewritten module goes; no file is left there unless the answer has one. */
  readonly into: string;
}

const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
/** No rewritten module is larger than this many times the original, and this much on top. */
const MOST_GROWTH = { times: 6, bytes: 1 << 20 } as const;
const FLAGS = ['--max-old-space-size=256', '--no-warnings'];
const READ_ONLY = 0o400;

interface Running {
  readonly child: ChildProcess;
  readonly incoming: Incoming;
}

export class Examiner {
  readonly #options: ExaminerOptions;
  #running: Running | undefined;
  #uses = 0;

  constructor(options: ExaminerOptions) {
    this.#options = options;
  }

  /** The answer; a text when there is none, saying why. One at a time. */
  async examine(examination: Examination): Promise<Admitted | string> {
    const running = this.#start();
    this.#uses++;
    const late = new AbortController();
    const patience = this.#options.clock.sleep(this.#options.patienceMs, { signal: late.signal }).then(
      () => `admission took longer than ${this.#options.patienceMs} ms`,
      () => '',
    );
    const exchange = exchanged(running, examination);
    try {
      const outcome = await Promise.race([exchange, patience]);
      if (typeof outcome !== 'string') return outcome;
      this.end();
      // The end of the process ends it; then nobody writes to the file any more.
      await exchange;
      await rm(examination.into, { force: true });
      return outcome;
    } finally {
      late.abort();
      void this.#endWhenIdle(this.#uses);
    }
  }

  end(): void {
    this.#running?.child.kill('SIGKILL');
    this.#running = undefined;
  }

  #start(): Running {
    const known = this.#running;
    if (known !== undefined && known.child.exitCode === null && known.child.signalCode === null) return known;
    const { node, insecureTrustedGuests, user } = this.#options;
    const insecure = insecureTrustedGuests && !ffiAvailable();
    const plan: LaunchPlan = {
      entry: 'admission',
      inherited: false,
      grants: [],
      flags: FLAGS,
      insecure,
      user: user === undefined ? undefined : { uid: user, gid: user },
      config: {},
    };
    const child = spawn(node, ['--no-warnings', fileURLToPath(entryUrl('launcher')), JSON.stringify(plan)], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { NODE_NO_WARNINGS: '1' },
      cwd: '/',
    });
    child.on('error', () => {});
    child.stdin?.on('error', () => {});
    this.#running = { child, incoming: new Incoming(child) };
    return this.#running;
  }

  async #endWhenIdle(use: number): Promise<void> {
    await this.#options.clock.sleep(this.#options.idleMs).catch(() => {});
    if (this.#uses === use) this.end();
  }
}

/** Never rejects for what the process does; a text says what it did. */
async function exchanged(running: Running, examination: Examination): Promise<Admitted | string> {
  try {
    const [answer, refusal] = await Promise.all([receive(running, examination), send(running, examination)]);
    return refusal ?? answer;
  } catch (error) {
    running.child.kill('SIGKILL');
    throw error;
  }
}

/** A text when the module is not what was said. */
async function send({ child }: Running, { digest, size, path }: Examination): Promise<string | undefined> {
  const { stdin } = child;
  if (stdin === null) return 'admission could not be started';
  const ended = () => stdin.destroyed || child.exitCode !== null || child.signalCode !== null;
  const asked = Buffer.from(JSON.stringify({ digest, size }));
  const header = Buffer.alloc(4);
  header.writeUInt32LE(asked.byteLength);
  stdin.write(Buffer.concat([header, asked]));
  let sent = 0;
  for await (const piece of createReadStream(path, { end: Math.max(0, size - 1) })) {
    sent += (piece as Buffer).byteLength;
    if (!stdin.write(piece) && !ended()) await drained(child, stdin);
    if (ended()) return undefined;
  }
  if (sent >= size || ended()) return undefined;
  child.kill('SIGKILL');
  return 'the module became shorter while it was read';
}

/** Until the process takes more or is gone. Leaves no listener behind: a large module waits hundreds of times. */
async function drained(child: ChildProcess, stdin: Writable): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  const either = [once(stdin, 'drain', { signal }), once(child, 'exit', { signal })];
  await Promise.race(either).catch(() => {});
  over.abort();
}

async function receive({ child, incoming }: Running, { digest, size, into }: Examination): Promise<Admitted | string> {
  const ended = () => `the admission process ended over it (${child.signalCode ?? `exit code ${child.exitCode}`})`;
  const noAnswer = 'admission answered what is no verdict';
  const header = await incoming.take(4);
  if (header === undefined) return ended();
  const length = header.readUInt32LE(0);
  if (length > MAX_ANSWER_BYTES) return noAnswer;
  const told = await incoming.take(length);
  if (told === undefined) return ended();
  const answer = parseAnswer(told.toString(), digest);
  if (answer === undefined) return noAnswer;
  const { rewrittenBytes } = answer;
  if (rewrittenBytes > size * MOST_GROWTH.times + MOST_GROWTH.bytes) return noAnswer;
  if (rewrittenBytes > 0) {
    await rm(into, { force: true });
    await using file = await open(into, 'wx', READ_ONLY);
    if (!(await keep(incoming, file, rewrittenBytes))) return ended();
    await file.sync();
  }
  return incoming.isEmpty ? answer : noAnswer;
}

/** False when it ends before. */
async function keep(incoming: Incoming, file: FileHandle, bytes: number): Promise<boolean> {
  for (let left = bytes; left > 0; ) {
    const piece = await incoming.piece(left);
    if (piece === undefined) return false;
    await file.write(piece);
    left -= piece.byteLength;
  }
  return true;
}
