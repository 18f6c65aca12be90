/** Function types that are added behind the guest's own. */
import { Output } from './output.ts';

const FUNCTION_TYPE = 0x60;

export class Types {
  readonly #first: number;
  readonly #known = new Map<string, number>();
  readonly #encoded = new Output();

  constructor(first: number) {
    this.#first = first;
  }

  get added(): number {
    return this.#known.size;
  }

  get bytes(): Uint8Array {
    return this.#encoded.bytes;
  }

  /** The index of the type with these parameters and results, each an encoded value type. */
  of(parameters: readonly (readonly number[])[], results: readonly (readonly number[])[]): number {
    const key = `${parameters.join(' ')} > ${results.join(' ')}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#encoded.byte(FUNCTION_TYPE);
    for (const types of [parameters, results]) {
      this.#encoded.u32(types.length);
      for (const type of types) this.#encoded.all(type);
    }
    const index = this.#first + this.#known.size;
    this.#known.set(key, index);
    return index;
  }
}
