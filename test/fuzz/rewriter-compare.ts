/** Runs a module as it is and rewritten, with the same calls from the same host, and tells what differed. */
import { ENGINE, instantiate } from '#runtime/module';
import type { Random } from './fuzzer.ts';
import type { ValueType } from './rewriter-ground.ts';
import type { Made } from './rewriter-modules.ts';

const PAGE_BYTES = 65536;
/** Functions that are small and call nothing have no check of their own. */
const MOST_UNCHECKED = 100;

/** All that can be seen of a run from outside. */
interface Seen {
  readonly trace: string[];
}

/** Lines of a run: each call of the host, each outcome, and at the end memories, tables and globals. */
class Recorder implements Seen {
  readonly trace: string[] = [];
  #calls = 0;

  readonly imports = {
    host: {
      call: (value: number) => {
        this.trace.push(`host ${value}`);
        return Math.imul(value, 31) + this.#calls++;
      },
    },
  };

  outcome(name: string, value: unknown): void {
    this.trace.push(`${name} = ${describe(value)}`);
  }

  failure(name: string, error: unknown): void {
    const message = error instanceof Error ? `${error.constructor.name}: ${error.message}` : describe(error);
    this.trace.push(`${name} threw ${message}`);
  }

  end(exports: WebAssembly.Exports): void {
    for (const [name, value] of Object.entries(exports).sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (name.startsWith(ENGINE)) continue;
      if (value instanceof WebAssembly.Memory) this.trace.push(`${name}: ${summary(value)}`);
      else if (value instanceof WebAssembly.Table) this.trace.push(`${name}: ${tableSummary(value)}`);
      else if (value instanceof WebAssembly.Global) this.trace.push(`${name}: ${describe(value.value)}`);
    }
  }
}

function describe(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return 'an object';
  return Object.is(value, -0) ? '-0' : String(value);
}

/** FNV over words: equal for equal bytes, and quick. */
function summary(memory: WebAssembly.Memory): string {
  const words = new Int32Array(memory.buffer);
  let hash = 0x811c9dc5;
  for (let at = 0; at < words.length; at++) hash = Math.imul(hash ^ (words[at] ?? 0), 0x01000193);
  return `${memory.buffer.byteLength / PAGE_BYTES} pages, ${hash >>> 0}`;
}

function tableSummary(table: WebAssembly.Table): string {
  const length = BigInt(table.length);
  const at = (index: bigint) => {
    try {
      return describe(table.get(Number(index)));
    } catch {
      return describe(table.get(index as unknown as number));
    }
  };
  const looked = [0n, 1n, 2n, 3n, 63n, 64n, 100n, 4095n, 4096n, 5000n, length - 1n].filter((index) => index < length);
  return `${length} elements, ${looked.map(at).join(' ')}`;
}

export function argumentFor(type: ValueType, random: Random): unknown {
  if (type === 'i64') return BigInt(random.below(1 << 30)) - 5n;
  if (type === 'i32') return random.below(1 << 30) - 5;
  if (type === 'f32' || type === 'f64') return random.below(1000) / 8;
  return null;
}

type Call = { readonly name: string; readonly values: readonly unknown[] };

function callable(exports: WebAssembly.Exports, name: string): WebAssembly.AnyFunction | undefined {
  const found = exports[name];
  return typeof found === 'function' ? found : undefined;
}

export function runPlain(bytes: Uint8Array<ArrayBuffer>, calls: readonly Call[]): readonly string[] {
  const recorder = new Recorder();
  let instance: WebAssembly.Instance;
  try {
    instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), recorder.imports);
  } catch (error) {
    recorder.failure('start', error);
    return recorder.trace;
  }
  for (const { name, values } of calls) {
    const call = callable(instance.exports, name);
    if (call === undefined) continue;
    try {
      recorder.outcome(name, call(...values));
    } catch (error) {
      recorder.failure(name, error);
    }
  }
  recorder.end(instance.exports);
  return recorder.trace;
}

/** How often the guest is interrupted, and what becomes of it. */
export interface Interruptions {
  /** Suspends the guest's stack at some checks. */
  readonly suspends: boolean;
  /** Chosen at each check. */
  readonly interrupts: () => boolean;
}

/** Grants every growth, and holds what was granted against what is there at the end. */
export async function runRewritten(
  bytes: Uint8Array<ArrayBuffer>,
  { calls, interruptions }: { readonly calls: readonly Call[]; readonly interruptions: Interruptions },
): Promise<readonly string[]> {
  const recorder = new Recorder();
  const control = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const word = new Int32Array(control.buffer);
  word[0] = 1;
  let granted = 0n;
  let fuel = Number.POSITIVE_INFINITY;
  let unchecked = 0;
  const pause = () => {
    const left = fuelOf(instance);
    if (Number.isFinite(fuel)) unchecked = Math.max(unchecked, fuel - left);
    fuel = left;
    if (!interruptions.interrupts()) return 0;
    return interruptions.suspends ? Promise.resolve(0) : 0;
  };
  const injected = {
    control,
    yield: interruptions.suspends ? new WebAssembly.Suspending(pause) : pause,
    grow: (kind: number, delta: bigint) => {
      if (kind === 0) granted += delta;
      return 1;
    },
  };
  const invoke = async (call: WebAssembly.AnyFunction, values: readonly unknown[]) =>
    interruptions.suspends ? await WebAssembly.promising(call)(...values) : call(...values);
  let instance: WebAssembly.Instance | undefined;
  let before: number;
  let memories: readonly WebAssembly.Memory[];
  try {
    const made = instantiate(new WebAssembly.Module(bytes), recorder.imports, { injected });
    if (!('instance' in made)) throw new RangeError('no room for its memories');
    ({ instance, memories } = made);
    before = pagesOf(memories);
    if (made.start !== undefined) await invoke(made.start, []);
  } catch (error) {
    recorder.failure('start', error);
    return recorder.trace;
  }
  for (const { name, values } of calls) {
    const call = callable(instance.exports, name);
    if (call === undefined) continue;
    try {
      recorder.outcome(name, await invoke(call, values));
    } catch (error) {
      recorder.failure(name, error);
    }
  }
  recorder.end(instance.exports);
  const grown = pagesOf(memories) - before;
  if (unchecked > MOST_UNCHECKED) recorder.trace.push(`${unchecked} rounds had no check`);
  if (BigInt(grown) !== granted) recorder.trace.push(`it grew by ${grown} pages and was granted ${granted}`);
  return recorder.trace;
}

/** Each round of a loop and each function uses up one. */
function fuelOf(instance: WebAssembly.Instance | undefined): number {
  const fuel = instance?.exports['global0'];
  return fuel instanceof WebAssembly.Global ? Number(fuel.value) : Number.POSITIVE_INFINITY;
}

function pagesOf(memories: readonly WebAssembly.Memory[]): number {
  return memories.reduce((sum, { buffer }) => sum + buffer.byteLength / PAGE_BYTES, 0);
}

export function callsOf({ entries }: Made, random: Random): Call[] {
  return entries.map(({ name, takes }) => ({ name, values: takes.map((type) => argumentFor(type, random)) }));
}
