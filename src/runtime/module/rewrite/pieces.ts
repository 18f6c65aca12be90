/** The body of a helper that does one bulk instruction in pieces, with a check between them. */
import type { Output } from './output.ts';
import { I32, I64, OP } from './words.ts';

export type NumberType = typeof I32 | typeof I64;

export interface Piece {
  /** The instruction, encoded. */
  readonly operation: readonly number[];
  /** All but the count, which is the last: addresses move on with each piece, values stay. */
  readonly parameters: readonly ({ readonly moves: NumberType } | { readonly stays: readonly number[] })[];
  readonly count: NumberType;
  /** Elements of a piece. */
  readonly piece: number;
  /** The first address and the second are in the same memory or table. */
  readonly overlaps?: boolean;
}

/** Of the count's type, or of an address's. */
const arithmetic = (type: NumberType) =>
  type === I64
    ? { add: OP.i64_add, sub: OP.i64_sub, gt: OP.i64_gt_u, lt: OP.i64_lt_u, constant: OP.i64_const }
    : { add: OP.i32_add, sub: OP.i32_sub, gt: OP.i32_gt_u, lt: OP.i32_lt_u, constant: OP.i32_const };

export function pieces(code: Output, options: Piece & { readonly check: Uint8Array }): void {
  const { parameters, piece, check, overlaps = false } = options;
  const count = { index: parameters.length, ...arithmetic(options.count) };
  const addresses = parameters.flatMap((it, index) => ('moves' in it ? [{ index, type: it.moves }] : []));
  const size = count.constant(piece);
  const amount = [OP.local_get, count.index];
  /** The count as a number of an address's type. */
  const asAddress = (type: NumberType) => [
    ...amount,
    ...(type === I64 && options.count === I32 ? [OP.i64_extend_u] : []),
  ];
  const behind = ({ index, type }: { index: number; type: NumberType }) => [
    ...[OP.local_get, index, ...asAddress(type), arithmetic(type).add],
  ];
  const given = parameters.flatMap((_, index) => [OP.local_get, index]);
  const atEnd = parameters.flatMap((it, index) =>
    'moves' in it ? behind({ index, type: it.moves }) : [OP.local_get, index],
  );
  const whole = [...given, ...amount, ...options.operation];
  const longer = [...amount, ...size, count.gt];
  const less = [...amount, ...size, count.sub, OP.local_set, count.index];

  code.all(check);
  code.all([...longer, OP.i32_eqz, OP.if, OP.empty, ...whole, OP.return, OP.end]);
  // An end that is beyond the largest address is out of bounds: the instruction itself says so.
  for (const address of addresses) {
    const { index, type } = address;
    code.all([
      ...behind(address),
      OP.local_get,
      index,
      arithmetic(type).lt,
      OP.if,
      OP.empty,
      ...whole,
      OP.return,
      OP.end,
    ]);
  }
  code.all([...atEnd, ...count.constant(0), ...options.operation]);
  if (overlaps) {
    const [target = { index: 0, type: I32 as NumberType }] = addresses;
    code.all([OP.local_get, 0, OP.local_get, 1, arithmetic(target.type).gt, OP.if, OP.empty]);
    code.all([OP.loop, OP.empty, ...check, ...less, ...atEnd, ...size, ...options.operation]);
    code.all([...longer, OP.br_if, 0, OP.end, ...whole, OP.return, OP.end]);
  }
  code.all([OP.loop, OP.empty, ...check, ...given, ...size, ...options.operation]);
  for (const { index, type } of addresses) {
    const { add, constant } = arithmetic(type);
    code.all([OP.local_get, index, ...constant(piece), add, OP.local_set, index]);
  }
  code.all([...less, ...longer, OP.br_if, 0, OP.end, ...whole]);
}
