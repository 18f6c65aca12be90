/** Bytes of the binary format that the rewriter writes by itself. */
export const I32 = 0x7f;
export const I64 = 0x7e;

export const OP = {
  unreachable: 0x00,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br_if: 0x0d,
  return: 0x0f,
  call: 0x10,
  drop: 0x1a,
  local_get: 0x20,
  local_set: 0x21,
  local_tee: 0x22,
  i32_load: 0x28,
  i32_const: (value: number): number[] => [0x41, ...signed(value)],
  i64_const: (value: number): number[] => [0x42, ...signed(value)],
  i32_eqz: 0x45,
  i32_eq: 0x46,
  i32_lt_u: 0x49,
  i32_gt_u: 0x4b,
  i32_add: 0x6a,
  i32_sub: 0x6b,
  i64_eq: 0x51,
  i64_lt_s: 0x53,
  i64_lt_u: 0x54,
  i64_gt_u: 0x56,
  i64_add: 0x7c,
  i64_sub: 0x7d,
  i64_extend_u: 0xad,
  /** The type of a block without parameters and results. */
  empty: 0x40,
  /** In the alignment of a memory access: the memory's index follows. */
  other_memory: 0x40,
} as const;

function signed(value: number): number[] {
  const bytes: number[] = [];
  for (;;) {
    const low = value & 0x7f;
    value >>= 7;
    if ((value === 0 && (low & 0x40) === 0) || (value === -1 && (low & 0x40) !== 0)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}
