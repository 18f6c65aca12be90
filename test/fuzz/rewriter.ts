/**
 * The rewriter: a random module and what it becomes must do the same, interrupted or not; what the guest cannot hold on to must end
 * it; and whatever bytes come, the rewriter answers with a module that the engine takes, or with a reason.
 */
import { instantiate, rewrite, shapeOf } from '#runtime/module';
import { Finding, type Fuzzer, type Random, repeat } from './fuzzer.ts';
import { callsOf, runPlain, runRewritten } from './rewriter-compare.ts';
import { type Made, makeModule } from './rewriter-modules.ts';

/** Checks that pass before a guest is ended. */
const CHECKS = 200;
const MOST_MEMORY = 64 << 20;

async function one(random: Random): Promise<void> {
  const made = makeModule(random);
  if (!WebAssembly.validate(made.bytes))
    throw new Finding(`the generator made what is not valid: ${whyInvalid(made.bytes)}`, made.bytes);
  const rewritten = rewrite(made.bytes);
  if ('unsupported' in rewritten)
    throw new Finding(`a module of known features was refused: ${rewritten.unsupported}`, made.bytes);
  if (!WebAssembly.validate(rewritten.bytes))
    throw new Finding(`not valid: ${whyInvalid(rewritten.bytes)}`, made.bytes);
  await compare(made, { rewritten: rewritten.bytes, random });
  ends(rewritten.bytes, { original: made.bytes, random });
  mangled(made, random);
}

async function compare(
  made: Made,
  { rewritten, random }: { readonly rewritten: Uint8Array<ArrayBuffer>; readonly random: Random },
): Promise<void> {
  const calls = callsOf(made, random);
  const rare = random.pick([1, 3, 20]);
  const interruptions = { suspends: random.oneIn(2), interrupts: () => random.oneIn(rare) };
  const plain = runPlain(made.bytes, calls);
  const other = await runRewritten(rewritten, { calls, interruptions });
  for (let at = 0; at < Math.max(plain.length, other.length); at++) {
    if (plain[at] === other[at]) continue;
    throw new Finding(`step ${at}: plain '${plain[at]}', rewritten '${other[at]}'`, made.bytes);
  }
}

/** Told to end at some check, every guest does, whatever it catches. */
function ends(
  bytes: Uint8Array<ArrayBuffer>,
  { original, random }: { readonly original: Uint8Array; readonly random: Random },
): void {
  const control = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  new Int32Array(control.buffer)[0] = 1;
  let left = random.below(CHECKS);
  let asked = 0;
  let calledAfter = false;
  const injected = {
    control,
    yield: () => {
      if (left-- > 0) return 0;
      if (++asked > 1) throw new Finding('it went on after it was to end', original);
      return 1;
    },
    grow: () => (random.oneIn(2) ? 1 : 0),
  };
  const host = {
    call: (value: number) => {
      calledAfter ||= asked > 0;
      return value;
    },
  };
  try {
    const made = instantiate(new WebAssembly.Module(bytes), { host }, { injected, memoryBytes: MOST_MEMORY });
    if (!('instance' in made)) return;
    const entries = Object.values(made.instance.exports).filter((value) => typeof value === 'function');
    for (const entry of entries) {
      asked = 0;
      left = Math.max(left, random.below(CHECKS));
      attempt(
        () => entry(...Array.from({ length: entry.length }, () => 1)),
        () => asked,
      );
    }
  } catch (error) {
    if (error instanceof Finding) throw error;
    // It cannot be brought to life: its own matter.
  }
  if (calledAfter) throw new Finding('it called the host after it was to end', original);
}

function attempt(call: () => unknown, asked: () => number): void {
  try {
    call();
    if (asked() > 0) throw new Finding('it came back after it was to end', '');
  } catch (error) {
    if (error instanceof Finding) throw error;
  }
}

/** Bytes changed here and there: most are not valid then, some are. */
function mangled({ bytes: valid, dataBytes }: Made, random: Random): void {
  const end = valid.byteLength - dataBytes;
  for (let round = 0; round < 4; round++) {
    const bytes = new Uint8Array(valid);
    for (let change = random.below(4); change >= 0; change--) bytes[8 + random.below(end - 8)] = random.below(256);
    const cut = random.oneIn(8) ? bytes.slice(0, random.below(bytes.byteLength)) : bytes;
    check(cut, random);
  }
}

function check(bytes: Uint8Array<ArrayBuffer>, random: Random): void {
  const isValid = WebAssembly.validate(bytes);
  let rewritten: ReturnType<typeof rewrite>;
  try {
    rewritten = rewrite(bytes);
  } catch (error) {
    throw new Finding(`the rewriter threw ${String(error)}`, bytes, error);
  }
  if ('unsupported' in rewritten || !isValid) return;
  if (!WebAssembly.validate(rewritten.bytes)) throw new Finding(`not valid: ${whyInvalid(rewritten.bytes)}`, bytes);
  const module = new WebAssembly.Module(rewritten.bytes);
  if (shapeOf(module) === undefined) throw new Finding('it does not describe itself', bytes);
  // Garbage on the engine's heap is not counted: such a guest has a thread of its own.
  if (!rewritten.collected) ends(rewritten.bytes, { original: bytes, random });
}

function whyInvalid(bytes: Uint8Array<ArrayBuffer>): string {
  try {
    new WebAssembly.Module(bytes);
    return 'the engine took it the second time';
  } catch (error) {
    return String(error);
  }
}

export const rewriter: Fuzzer = {
  name: 'rewriter',
  summary: 'modules of all features, plain and rewritten; and bytes that are none',
  run: (options) => repeat(options, one),
};
