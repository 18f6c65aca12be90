/** Runs attempts on grounds side by side and makes their table. */
import type { Attempt, Outcome, Row } from './attempt.ts';
import { Ground, Refused } from './ground.ts';

/** Most attempts wait for something: to go on for a while, to be killed, for the neighbour's next word. */
export const LANES = 3;

/** Grounds that do not know of each other, each for one attempt at a time. */
export class Grounds implements AsyncDisposable {
  readonly #all: readonly Ground[];
  readonly #free: Ground[];
  readonly #waiting: ((ground: Ground) => void)[] = [];

  static async open(count = LANES): Promise<Grounds> {
    return new Grounds(await Promise.all(Array.from({ length: count }, () => Ground.open())));
  }

  private constructor(all: readonly Ground[]) {
    this.#all = all;
    this.#free = [...all];
  }

  /** Tries as soon as a ground is free; in the order of the calls. */
  async try(attempt: Attempt<Ground>): Promise<Row> {
    const ground = this.#free.pop() ?? (await new Promise<Ground>((resolve) => this.#waiting.push(resolve)));
    try {
      return await tryAttempt(attempt, ground);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(ground);
      else next(ground);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((ground) => ground[Symbol.asyncDispose]()));
  }
}

async function tryAttempt(attempt: Attempt<Ground>, ground: Ground): Promise<Row> {
  const { area, name, skip } = attempt;
  if (typeof skip === 'string') return { area, name, happened: skip, wall: '', verdict: 'skipped' };
  let outcome: Outcome;
  try {
    outcome = await attempt.run(ground);
  } catch (error) {
    if (!(error instanceof Refused)) throw new Error(`Cannot try '${area}: ${name}'`, { cause: error });
    outcome = { happened: `${error.code}: ${error.message}`, wall: wallOf(error.code) };
  }
  const happened = printable(outcome.happened);
  if (outcome.wall === undefined) return { area, name, happened, wall: 'NONE', verdict: 'ESCAPED' };
  return { area, name, happened, wall: outcome.wall, verdict: 'refused' };
}

function wallOf(code: string): Outcome['wall'] {
  if (code.startsWith('MODULE_')) return 'admission';
  if (code === 'RUNTIME_CREATE_FAILED') return 'Landlock';
  return code.startsWith('RUNTIME_') ? 'node' : undefined;
}

/** A guest's words go to a terminal here. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7eüÄ-ſ·…–]+/g, ' ').slice(0, 300);
}

export function tableOf(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ area, name }) => area.length + name.length)) + 2;
  let lines = '';
  for (const { area, name, happened, wall, verdict } of rows) {
    const mark = verdict === 'refused' ? '✔' : verdict === 'skipped' ? '-' : '✖';
    lines += `${mark} ${`${area}: ${name}`.padEnd(width)}  ${wall.padEnd(12)}  ${happened.slice(0, 100)}\n`;
  }
  return lines;
}
