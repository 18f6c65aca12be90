/**
 * Quantities (`100m`, `64Mi`, `1e3`) as exact numbers. Source: apimachinery `pkg/api/resource/quantity.go`.
 * Kept in billionths, which is the finest that Kubernetes knows; finer input is rounded away from zero.
 */
import { kubeError } from './errors.ts';

export type QuantityFormat = 'BinarySI' | 'DecimalSI' | 'DecimalExponent';

export interface Quantity {
  readonly nanos: bigint;
  /** How it was written, and so how it is written again. */
  readonly format: QuantityFormat;
}

const NANOS = 1_000_000_000n;
const MAX = ((1n << 63n) - 1n) * NANOS;
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const SHAPE = /^([+-]?)(\d*)(?:\.(\d*))?(?:(Ki|Mi|Gi|Ti|Pi|Ei)|([numkMGTPE])|[eE]([+-]?\d{1,3}))?$/;

export function parseQuantity(text: string | number): Quantity {
  const quantity = readQuantity(text);
  if (quantity !== undefined) return quantity;
  throw kubeError(
    'KUBE_QUANTITY_INVALID',
    `Cannot read the quantity '${String(text).slice(0, 64)}': not a number with a unit`,
    {
      hint: 'Write it like 2, 500m, 64Mi or 1G',
    },
  );
}

/** undefined for what is no quantity. */
export function readQuantity(text: string | number): Quantity | undefined {
  const match = String(text).length > 128 ? null : SHAPE.exec(String(text));
  const [, sign = '', whole = '', fraction = '', binary, decimal, exponent] = match ?? [];
  if (match === null || whole + fraction === '') return undefined;
  const digits = BigInt(whole + fraction);
  let power = 9 - fraction.length;
  let factor = 1n;
  if (binary !== undefined) factor = 1024n ** BigInt(BINARY.indexOf(binary));
  else if (decimal !== undefined) power += 3 * (DECIMAL.indexOf(decimal) - 3);
  else if (exponent !== undefined) power += Number(exponent);
  const scaled = power >= 0 ? digits * factor * 10n ** BigInt(power) : divideUp(digits * factor, 10n ** BigInt(-power));
  const bounded = scaled > MAX ? MAX : scaled;
  const format = binary !== undefined ? 'BinarySI' : exponent !== undefined ? 'DecimalExponent' : 'DecimalSI';
  return { nanos: sign === '-' ? -bounded : bounded, format };
}

/** The canonical text: the largest unit that needs no fraction. */
export function formatQuantity({ nanos, format }: Quantity): string {
  if (nanos === 0n) return '0';
  const sign = nanos < 0n ? '-' : '';
  const size = nanos < 0n ? -nanos : nanos;
  if (format === 'BinarySI' && size >= 1024n * NANOS) {
    const [number, unit] = reduce(divideUp(size, NANOS), 1024n, BINARY.length - 1);
    return `${sign}${number}${BINARY[unit]}`;
  }
  const [number, unit] = reduce(size, 1000n, DECIMAL.length - 1);
  if (format !== 'DecimalExponent') return `${sign}${number}${DECIMAL[unit]}`;
  return unit === 3 ? `${sign}${number}` : `${sign}${number}e${(unit - 3) * 3}`;
}

export function quantityOf(value: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity {
  const nanos = typeof value === 'bigint' ? value * NANOS : BigInt(Math.round(value * 1e9));
  return { nanos, format };
}

/** Whole units, rounded up: bytes of memory, seconds. */
export function wholeValueOf(quantity: Quantity): number {
  return Number(divideAway(quantity.nanos, NANOS));
}

/** Thousandths, rounded up: millicores. */
export function milliValueOf(quantity: Quantity): number {
  return Number(divideAway(quantity.nanos, 1_000_000n));
}

/** Keeps the left one's format, unless the left one is zero. */
export function addQuantities(left: Quantity, right: Quantity): Quantity {
  return { nanos: left.nanos + right.nanos, format: left.nanos === 0n ? right.format : left.format };
}

export function subtractQuantities(left: Quantity, right: Quantity): Quantity {
  return addQuantities(left, { ...right, nanos: -right.nanos });
}

/** Below zero, zero or above: left is smaller, equal or larger. */
export function compareQuantities(left: Quantity, right: Quantity): number {
  return left.nanos < right.nanos ? -1 : left.nanos > right.nanos ? 1 : 0;
}

function divideUp(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by;
}

function divideAway(value: bigint, by: bigint): bigint {
  return value < 0n ? -divideUp(-value, by) : divideUp(value, by);
}

function reduce(value: bigint, by: bigint, most: number): [number: bigint, times: number] {
  let times = 0;
  while (times < most && value % by === 0n) {
    value /= by;
    times++;
  }
  return [value, times];
}
