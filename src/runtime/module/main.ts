/**
 * The admission process: bytes in, verdict and rewritten bytes out, one module at a time. It has no network, no guest, no file: what it
 * needs comes by standard input, and a module that breaks or stalls it has broken or stalled nothing else. Its node side is
 * `examiner.ts`.
 *
 * In: 4 bytes of length (little endian), JSON `{digest, size}`, then `size` bytes. Out: 4 bytes of length, JSON `{verdict,
 * rewrittenBytes}`, then so many bytes.
 */
import { refuseSystemCalls } from '#kit/os';
import { launched } from '../sandbox/launch.ts';
import { examine } from './examine.ts';

interface Asked {
  readonly digest: string;
  readonly size: number;
}

const LENGTH_BYTES = 4;

/** A part of what comes in: filled piece by piece, in place, since a module is large. */
class Part {
  readonly bytes: Uint8Array<ArrayBuffer>;
  #filled = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  get isFull(): boolean {
    return this.#filled === this.bytes.byteLength;
  }

  /** Takes what it needs and answers the rest. */
  take(piece: Buffer): Buffer {
    const taken = piece.subarray(0, this.bytes.byteLength - this.#filled);
    this.bytes.set(taken, this.#filled);
    this.#filled += taken.byteLength;
    return piece.subarray(taken.byteLength);
  }
}

let asked: Asked | undefined;
let length = new Part(LENGTH_BYTES);
let question: Part | undefined;
let module: Part | undefined;

function take(piece: Buffer): void {
  while (piece.byteLength > 0 || module?.isFull === true) {
    if (module !== undefined) {
      piece = module.take(piece);
      if (module.isFull) answer(module.bytes);
    } else if (question !== undefined) {
      piece = question.take(piece);
      if (!question.isFull) continue;
      asked = JSON.parse(Buffer.from(question.bytes).toString()) as Asked;
      module = new Part(asked.size);
    } else {
      piece = length.take(piece);
      if (length.isFull) question = new Part(new DataView(length.bytes.buffer).getUint32(0, true));
    }
  }
}

function answer(bytes: Uint8Array<ArrayBuffer>): void {
  const { verdict, rewritten } = examine(bytes, asked?.digest ?? '');
  length = new Part(LENGTH_BYTES);
  question = undefined;
  module = undefined;
  const told = Buffer.from(JSON.stringify({ verdict, rewrittenBytes: rewritten?.byteLength ?? 0 }));
  const header = Buffer.alloc(LENGTH_BYTES);
  header.writeUInt32LE(told.byteLength);
  process.stdout.write(Buffer.concat([header, told]));
  if (rewritten !== undefined) process.stdout.write(rewritten);
}

try {
  if (launched().walls['rings_refused'] === true) refuseSystemCalls();
} catch {
  // A kernel without it: Landlock and the missing rights of the process have to do.
}

process.stdin.on('data', take);
process.stdin.on('end', () => process.exit(0));
