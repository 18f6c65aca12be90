/** Code that has to do with memories, tables and objects. */
import { CodeGround, type ValueType } from './rewriter-ground.ts';
import { alignmentOf, lanesOf, producing, type Signature } from './rewriter-signatures.ts';

export abstract class CodeOfState extends CodeGround {
  protected numeric({ instruction, takes, memory }: Signature, depth: number) {
    const { name, immediates } = instruction;
    const index = memory ? this.random.below(this.world.memories.length) : 0;
    for (const [place, type] of takes.entries()) {
      if (memory && place === 0)
        this.address(index, { depth, step: name.includes('atomic') ? alignmentOf(instruction) : 0 });
      else this.value(type, depth - 1);
    }
    if (memory) {
      const lane = immediates === 'memarg byte' ? ` ${this.random.below(lanesOf(instruction))}` : '';
      const align = name.includes('atomic') ? alignmentOf(instruction) : 0;
      const offset = name.includes('atomic') ? 8 * this.random.below(5) : this.random.below(100);
      return this.add(`${name} ${align} ${offset} ${index}${lane}`);
    }
    if (immediates === 'byte')
      return this.add(`${name} ${name === 'atomic.fence' ? 0 : this.random.below(lanesOf(instruction))}`);
    if (immediates === 'bytes16')
      return this.add(`${name} ${Array.from({ length: 16 }, () => this.random.below(32)).join(' ')}`);
    this.add(name);
  }

  protected size(type: 'i32' | 'i64', depth: number) {
    const { memories, tables } = this.world;
    const wide = type === 'i64';
    const ofType = <T extends { readonly wide: boolean }>(all: readonly T[]) =>
      all.flatMap((it, index) => (it.wide === wide ? [index] : []));
    const memory = this.random.pick(ofType(memories));
    const table = this.random.pick(ofType(tables));
    if (memory !== undefined && this.random.oneIn(2)) {
      if (this.random.oneIn(2)) return this.add(`memory.size ${memory}`);
      return this.add(`${type}.const ${this.random.pick([0, 1, 1, 2, -1, 70_000])}`, `memory.grow ${memory}`);
    }
    if (table === undefined) return this.constant(type);
    if (this.random.oneIn(2)) return this.add(`table.size ${table}`);
    this.value(tables[table]?.type ?? 'funcref', depth - 1);
    this.add(`${type}.const ${this.random.pick([0, 1, 10, 5000, -1])}`, `table.grow ${table}`);
  }

  protected question(depth: number) {
    if (this.world.collected && this.random.oneIn(2)) {
      this.value('anyref', depth - 1);
      return this.add(this.random.pick(['ref.test i31', 'ref.test_null 0', 'ref.test 1', 'ref.is_null']));
    }
    this.value(this.random.pick(this.types().filter((type) => /ref/.test(type))), depth - 1);
    this.add('ref.is_null');
  }

  protected tableGet(type: ValueType, depth: number) {
    const index = this.world.tables.findIndex((table) => table.type === type);
    if (index < 0) return this.leaf(type);
    this.value('i32', depth - 1);
    this.add(
      'i32.const 63',
      'i32.and',
      ...(this.world.tables[index]?.wide ? ['i64.extend_i32_u'] : []),
      `table.get ${index}`,
    );
  }

  /** Ranges that overlap, and are longer than a piece. */
  private overlapping(memory: number): void {
    const wide = this.world.memories[memory]?.wide === true;
    const number = (value: number) => this.add(`${wide ? 'i64' : 'i32'}.const ${value}`);
    number(this.random.below(3000));
    number(this.random.below(3000));
    number(this.random.pick([65_536, 65_537, 100_000, 131_072, 200_000]));
    this.add(`memory.copy ${memory} ${memory}`);
  }

  protected bulk(depth: number) {
    const { memories, data } = this.world;
    if (this.random.oneIn(5)) return this.overlapping(this.random.below(memories.length));
    const [to, from] = [this.random.below(memories.length), this.random.below(memories.length)];
    const [wideTo, wideFrom] = [memories[to]?.wide === true, memories[from]?.wide === true];
    this.address(to, { depth });
    const kind = this.random.below(data > 0 ? 4 : 2);
    if (kind === 0) {
      this.value('i32', depth - 2);
      this.count(wideTo, depth);
      this.add(`memory.fill ${to}`);
    } else if (kind === 1) {
      this.address(from, { depth });
      this.count(wideTo && wideFrom, depth);
      this.add(`memory.copy ${to} ${from}`);
    } else {
      const segment = this.random.below(data);
      this.add(`i32.const ${this.random.pick([0, 0, 1, 100, 4096])}`);
      this.count(false, depth);
      this.add(`memory.init ${segment} ${to}`);
      if (this.random.oneIn(6)) this.add(`data.drop ${segment}`);
    }
  }

  protected tableStatement(depth: number) {
    const { tables, elements } = this.world;
    const index = this.random.below(tables.length);
    const { type, wide } = tables[index] ?? { type: 'funcref', wide: false };
    const widen = wide ? ['i64.extend_i32_u'] : [];
    const address = (mask: number) => {
      this.value('i32', depth - 2);
      this.add(`i32.const ${mask}`, 'i32.and', ...widen);
    };
    const kind = this.random.below(elements > 0 && type === 'funcref' ? 4 : 3);
    address(kind === 0 ? 63 : 8191);
    if (kind === 0) {
      this.value(type, depth - 1);
      this.add(`table.set ${index}`);
    } else if (kind === 1) {
      this.value(type, depth - 1);
      this.add(`i32.const ${this.random.pick([0, 1, 100, 4096, 4097, 9000, -1])}`, ...widen, `table.fill ${index}`);
    } else if (kind === 2) {
      address(8191);
      this.add(
        `i32.const ${this.random.pick([0, 1, 100, 4096, 4097, 9000, -1])}`,
        ...widen,
        `table.copy ${index} ${index}`,
      );
    } else {
      const segment = this.random.below(elements);
      this.add(
        `i32.const ${this.random.pick([0, 1, 200])}`,
        `i32.const ${this.random.pick([0, 1, 100, 300, 4096, 5000, -1])}`,
      );
      this.add(`table.init ${segment} ${index}`);
      if (this.random.oneIn(6)) this.add(`elem.drop ${segment}`);
    }
  }

  protected setField(depth: number) {
    const [field, type] = this.random.pick([
      [0, 'i32'],
      [1, 'f64'],
      [2, 'refnull:0'],
    ] as const);
    this.value('refnull:0', depth - 1);
    this.value(type, depth - 1);
    this.add(`struct.set 0 ${field}`);
  }

  protected arrayStatement(depth: number) {
    this.value('refnull:1', depth - 1);
    this.add('i32.const 1');
    this.value('i32', depth - 1);
    if (this.random.oneIn(2)) return this.add('array.set 1');
    this.add('i32.const 2', 'array.fill 1');
  }

  protected makeObject(type: 'refnull:0' | 'refnull:1' | 'anyref', depth: number) {
    if (type === 'refnull:1') {
      if (this.random.oneIn(3)) {
        for (let left = 3; left > 0; left--) this.value('i32', depth - 1);
        return this.add('array.new_fixed 1 3');
      }
      this.value('i32', depth - 1);
      return this.add('i32.const 5', 'array.new 1');
    }
    if (type === 'refnull:0') {
      this.value('i32', depth - 1);
      this.value('f64', depth - 1);
      this.value('refnull:0', depth - 1);
      return this.add('struct.new 0');
    }
    const from = this.random.pick(['i31ref', 'refnull:0', 'refnull:1', 'externref'] as const);
    this.value(from, depth - 1);
    if (from === 'externref') this.add('any.convert_extern');
  }

  protected store(depth: number) {
    this.numeric(this.random.pick(producing(undefined)), depth);
  }
}
