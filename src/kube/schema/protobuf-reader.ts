/** The wire format of protobuf: numbered fields, of which each reader knows what they mean. Every length is checked. */
import { DecodeError } from './decode.ts';

export interface WireField {
  readonly number: number;
  /** A number's bits, or the bytes of a text, message or list. */
  readonly value: bigint | Uint8Array;
}

export class ProtobufReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  *fields(): Generator<WireField> {
    while (this.#at < this.#bytes.length) {
      const tag = this.#varint();
      yield { number: Number(tag >> 3n), value: this.#value(Number(tag & 7n)) };
    }
  }

  #value(wire: number): bigint | Uint8Array {
    if (wire === 0) return this.#varint();
    if (wire === 2) return this.#take(Number(this.#varint()));
    if (wire === 1) return littleEndian(this.#take(8));
    if (wire === 5) return littleEndian(this.#take(4));
    throw new DecodeError(`proto: illegal wireType ${wire}`);
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new DecodeError('unexpected EOF');
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new DecodeError('unexpected EOF');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new DecodeError('proto: integer overflow');
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
