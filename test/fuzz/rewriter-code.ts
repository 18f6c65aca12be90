/**
 * Code of random functions, by types: each method leaves on the stack what its name says, so that what comes out is valid. Loops and
 * functions use up fuel, so that every run ends.
 */
import { blockType, type Callee, USE_FUEL, type ValueType } from './rewriter-ground.ts';
import { type NumberType, producing } from './rewriter-signatures.ts';
import { CodeOfState } from './rewriter-state.ts';

export class CodeMaker extends CodeOfState {
  /** The whole body. */
  make(): string {
    for (let left = 1 + this.random.below(8); left > 0; left--) this.statement(4);
    if (this.callee.gives !== undefined) this.value(this.callee.gives, 4);
    return this.lines.join('\n');
  }

  statement(depth: number) {
    if (this.shallow(depth)) return this.add('nop');
    const choices: (() => void)[] = [
      () => this.setLocal(depth),
      () => this.setLocal(depth),
      () => this.setGlobal(depth),
      () => this.store(depth),
      () => this.store(depth),
      () => this.block(undefined, depth),
      () => this.loop(undefined, depth),
      () => this.loop(undefined, depth),
      () => this.ifElse(undefined, depth),
      () => this.bulk(depth),
      () => this.bulk(depth),
      () => this.tableStatement(depth),
      () => this.branchIf(depth),
      () => this.switch(depth),
      () => this.drop(depth),
      () => this.deadCode(depth),
    ];
    if (this.world.exceptions)
      choices.push(
        () => this.tryCatch(depth),
        () => this.throwInside(depth),
      );
    if (this.world.collected)
      choices.push(
        () => this.setField(depth),
        () => this.arrayStatement(depth),
      );
    this.random.pick(choices)();
  }

  value(type: ValueType, depth: number) {
    if (this.shallow(depth)) return this.leaf(type);
    const choices: (() => void)[] = [
      () => this.leaf(type),
      () => this.block(type, depth),
      () => this.ifElse(type, depth),
      () => this.loop(type, depth),
      () => this.select(type, depth),
      () => this.call(type, depth),
      () => this.call(type, depth),
      () => this.tee(type, depth),
    ];
    const numeric = producing(type as NumberType);
    if (numeric.length > 0)
      for (let i = 0; i < 8; i++) choices.push(() => this.numeric(this.random.pick(numeric), depth));
    if (type === 'i32' || type === 'i64')
      choices.push(
        () => this.size(type, depth),
        () => this.size(type, depth),
      );
    if (type === 'i32') choices.push(() => this.question(depth));
    choices.push(() => this.tableGet(type, depth));
    if (type === 'refnull:0' || type === 'refnull:1' || type === 'anyref')
      choices.push(() => this.makeObject(type, depth));
    this.random.pick(choices)();
  }

  protected select(type: ValueType, depth: number) {
    this.value(type, depth - 1);
    this.value(type, depth - 1);
    this.value('i32', depth - 1);
    this.add(`select_t ${type}`);
  }

  protected tee(type: ValueType, depth: number) {
    const index = this.locals.indexOf(type);
    this.value(type, depth - 1);
    if (index >= 0) this.add(`local.tee ${index}`);
  }

  protected setLocal(depth: number) {
    if (this.locals.length === 0) return this.add('nop');
    const index = this.random.below(this.locals.length);
    this.value(this.locals[index] ?? 'i32', depth - 1);
    this.add(`local.set ${index}`);
  }

  protected setGlobal(depth: number) {
    const index = this.random.below(this.world.globals.length);
    const global = this.world.globals[index];
    if (global === undefined || index === 0 || !global.mutable) return this.add('nop');
    this.value(global.type, depth - 1);
    this.add(`global.set ${index}`);
  }

  protected drop(depth: number) {
    this.value(this.random.pick(this.types()), depth - 1);
    this.add('drop');
  }

  protected inside(type: ValueType | undefined, depth: number) {
    for (let left = this.random.below(3); left > 0; left--) this.statement(depth - 1);
    if (type !== undefined) this.value(type, depth - 1);
  }

  protected block(type: ValueType | undefined, depth: number) {
    this.add(`block ${blockType(type)}`);
    this.labels.push({ type });
    this.inside(type, depth);
    this.labels.pop();
    this.add('end');
  }

  /** Goes round while a local that it counts down is not 0, or some condition holds. */
  protected loop(type: ValueType | undefined, depth: number) {
    this.add(`loop ${blockType(type)}`, ...USE_FUEL);
    this.labels.push({ type: undefined });
    for (let left = this.random.below(4); left > 0; left--) this.statement(depth - 1);
    if (this.random.oneIn(2)) {
      this.value('i32', depth - 2);
      this.add('i32.const 7', 'i32.and', 'br_if 0');
    }
    if (type !== undefined) this.value(type, depth - 1);
    this.labels.pop();
    this.add('end');
  }

  protected ifElse(type: ValueType | undefined, depth: number) {
    this.value('i32', depth - 1);
    this.add(`if ${blockType(type)}`);
    this.labels.push({ type });
    this.inside(type, depth);
    if (type !== undefined || this.random.oneIn(2)) {
      this.add('else');
      this.inside(type, depth);
    }
    this.labels.pop();
    this.add('end');
  }

  protected branchIf(depth: number) {
    const label = this.random.below(this.labels.length);
    const type = this.labels[this.labels.length - 1 - label]?.type;
    if (type !== undefined) this.value(type, depth - 1);
    this.value('i32', depth - 1);
    this.add(`br_if ${label}`);
    if (type !== undefined) this.add('drop');
  }

  protected switch(depth: number) {
    this.add('block empty');
    this.labels.push({ type: undefined });
    const empty = this.labels.flatMap(({ type }, index) =>
      type === undefined ? [this.labels.length - 1 - index] : [],
    );
    this.value('i32', depth - 1);
    const labels = Array.from({ length: this.random.below(5) + 1 }, () => this.random.pick(empty));
    this.labels.pop();
    this.add(`br_table ${labels.join(' ')}`, 'end');
  }

  /** What nobody reaches is validated all the same. */
  protected deadCode(depth: number) {
    this.add('block empty', 'br 0');
    this.labels.push({ type: undefined });
    this.random.pick([
      () => this.add('drop', 'memory.grow 0', 'drop'),
      () => this.add('memory.fill 0'),
      () => this.add('loop empty', 'end', 'i32.add', 'drop'),
      () => this.statement(depth - 1),
    ])();
    this.labels.pop();
    this.add('end');
  }

  protected call(type: ValueType, depth: number) {
    const { functions, extraTypes, tables } = this.world;
    const fitting = functions.flatMap(({ gives }, index) => (gives === type ? [index] : []));
    const index = this.random.pick(fitting);
    if (index === undefined) return this.leaf(type);
    const { takes } = functions[index] as Callee;
    const signature = `${takes.join(' ')} -> ${type}`;
    for (const one of takes) this.value(one, depth - 1);
    const tail = type === this.callee.gives && this.random.oneIn(6) ? 'return_' : '';
    const table = tables.findIndex((it) => it.type === 'funcref' && !it.wide);
    const how = this.random.below(4);
    if (how === 0 && table === 0) {
      this.add(`i32.const ${index + 1}`, `${tail}call_indirect (${signature})`);
    } else if (how === 1) {
      this.add(`ref.func ${index}`, `${tail}call_ref (${signature})`);
    } else this.add(`${tail}call ${index}`);
    if (tail !== '' && extraTypes >= 0) this.constant(type);
  }

  protected tryCatch(depth: number) {
    const { legacy, tag } = this.world;
    if (legacy) {
      this.add('try empty');
      this.labels.push({ type: undefined });
      this.inside(undefined, depth);
      const kind = this.random.below(4);
      if (kind < 2) this.add(`catch ${tag}`, 'drop', ...(kind === 1 ? ['rethrow 0'] : []));
      if (kind === 2) this.add('catch_all');
      if (kind < 3) this.inside(undefined, depth);
      this.labels.pop();
      this.add(kind < 3 ? 'end' : 'delegate 0');
      return;
    }
    // The block takes what the clause passes on.
    const [type, clause] = this.random.pick([
      ['i32', `0 ${tag} 0`],
      ['empty', '2 0'],
      ['exnref', '3 0'],
    ] as const);
    this.add(`block ${type}`);
    this.labels.push({ type: type === 'empty' ? undefined : type });
    this.add(`try_table empty 1 ${clause}`);
    this.labels.push({ type: undefined });
    this.inside(undefined, depth);
    this.labels.pop();
    this.add('end');
    if (type !== 'empty') this.constant(type);
    this.labels.pop();
    this.add('end');
    if (type === 'exnref' && this.random.oneIn(3)) this.add('throw_ref');
    else if (type !== 'empty') this.add('drop');
  }

  protected throwInside(depth: number) {
    this.value('i32', depth - 1);
    this.add('i32.const 3', 'i32.and', 'if empty');
    this.labels.push({ type: undefined });
    this.value('i32', depth - 2);
    this.labels.pop();
    this.add(`throw ${this.world.tag}`, 'end');
  }
}
