/** Bytes that grow, with the encodings of the WebAssembly binary format. */
import { Unsupported } from './unsupported.ts';

const PADDED = 5;

export class Output {
  readonly #most: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** `most` bytes are taken; more is `Unsupported`. */
  constructor({ capacity = 256, most = 0x7fffffff } = {}) {
    this.#most = most;
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written, valid until the next write. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.byteLength) this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  all(values: ArrayLike<number>): void {
    const length = values.length;
    if (this.#length + length > this.#bytes.byteLength) this.#grow(length);
    this.#bytes.set(values, this.#length);
    this.#length += length;
  }

  copy(source: Uint8Array, { from, to }: { readonly from: number; readonly to: number }): void {
    if (to > from) this.all(source.subarray(from, to));
  }

  u32(value: number): void {
    while (value > 0x7f) {
      this.byte((value & 0x7f) | 0x80);
      value >>>= 7;
    }
    this.byte(value);
  }

  unsigned(value: bigint): void {
    for (; value > 0x7fn; value >>= 7n) this.byte(Number(value & 0x7fn) | 0x80);
    this.byte(Number(value));
  }

  name(text: string): void {
    const encoded = new TextEncoder().encode(text);
    this.u32(encoded.byteLength);
    this.all(encoded);
  }

  /** A section or subsection: its id, the length of what `write` writes, and that. */
  section(id: number, write: () => void): void {
    this.byte(id);
    const at = this.#length;
    this.all([0x80, 0x80, 0x80, 0x80, 0]);
    write();
    let length = this.#length - at - PADDED;
    for (let index = 0; index < PADDED; index++, length >>>= 7) {
      this.#bytes[at + index] = (length & 0x7f) | (index < PADDED - 1 ? 0x80 : 0);
    }
  }

  #grow(more: number): void {
    const needed = this.#length + more;
    if (needed > this.#most) throw new Unsupported(`it would grow beyond ${this.#most} bytes`);
    const grown = new Uint8Array(Math.min(this.#most, Math.max(needed, this.#bytes.byteLength * 2)));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
