/**
 * The admission process: bytes in, verdict out, one module at a time. It has no network, no guest, no file: what it needs comes by
 * standard input, and a module that breaks or stalls it has broken or stalled nothing else. See `admission.ts` for its node side.
 *
 * In: 4 bytes of length (little endian), JSON `{digest, size}`, then `size` bytes. Out: 4 bytes of length, JSON verdict.
 */
import { refuseSystemCalls } from '#kit/os';
import { launched } from '../sandbox/launch.ts';
import { inspect } from './inspect.ts';

interface Asked {
  readonly digest: string;
  readonly size: number;
}

let held: Buffer[] = [];
let bytes = 0;
let asked: Asked | undefined;

function take(length: number): Buffer {
  const all = held.length === 1 && held[0] !== undefined ? held[0] : Buffer.concat(held);
  held = [all.subarray(length)];
  bytes -= length;
  return all.subarray(0, length);
}

function answer(): boolean {
  if (asked === undefined) {
    if (bytes < 4) return false;
    const length = Buffer.concat(held).readUInt32LE(0);
    if (bytes < 4 + length) return false;
    asked = JSON.parse(take(4 + length).toString('utf8', 4)) as Asked;
  }
  if (bytes < asked.size) return false;
  const module = new Uint8Array(take(asked.size));
  const verdict = Buffer.from(JSON.stringify(inspect(module, asked.digest)));
  const header = Buffer.alloc(4);
  header.writeUInt32LE(verdict.byteLength);
  process.stdout.write(Buffer.concat([header, verdict]));
  asked = undefined;
  return true;
}

try {
  if (launched().walls['rings_refused'] === true) refuseSystemCalls();
} catch {
  // A kernel without it: Landlock and the missing rights of the process have to do.
}

process.stdin.on('data', (piece: Buffer) => {
  held.push(piece);
  bytes += piece.byteLength;
  while (answer());
});
process.stdin.on('end', () => process.exit(0));
