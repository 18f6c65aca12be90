/**
 * Kubernetes quantities: exact arithmetic and the canonical text. Source: apimachinery `pkg/api/resource/quantity.go`.
 * A value is kept as an integer of nano units, the smallest that the API keeps.
 */
const PATTERN = /^([+-]?)(\d*)(?:\.(\d*))?(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d+)?$/;
const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const NANO = 1_000_000_000n;

export type QuantityFormat = 'decimal' | 'binary' | 'exponent';

export interface Quantity {
  /** Value in 10^-9 units. */
  readonly nano: bigint;
  readonly format: QuantityFormat;
}

export const QUANTITY_ERROR =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/** undefined for what is no quantity. Values below a nano unit are rounded up, as the API does. */
export function parseQuantity(text: string | number): Quantity | undefined {
  const source = typeof text === 'number' ? numberText(text) : text;
  if (source.length > 64) return undefined;
  const match = PATTERN.exec(source);
  if (match === null) return undefined;
  const [, sign = '', whole = '', fraction = '', suffix = ''] = match;
  if (whole === '' && fraction === '') return undefined;
  const scale = scaleOf(suffix);
  if (scale === undefined) return undefined;
  const numerator = BigInt(whole + fraction || '0') * scale.factor * NANO;
  const denominator = 10n ** BigInt(fraction.length) * scale.divisor;
  const nano = (numerator + denominator - 1n) / denominator;
  return { nano: sign === '-' ? -nano : nano, format: scale.format };
}

function numberText(value: number): string {
  return Number.isFinite(value) ? String(value).replace('+', '') : '';
}

function scaleOf(suffix: string): { factor: bigint; divisor: bigint; format: QuantityFormat } | undefined {
  const binary = BINARY.indexOf(suffix);
  if (binary > 0) return { factor: 1024n ** BigInt(binary), divisor: 1n, format: 'binary' };
  const decimal = DECIMAL.indexOf(suffix);
  if (decimal >= 0) return { ...powerOfTen((decimal - 3) * 3), format: 'decimal' };
  const exponent = Number(suffix.slice(1));
  return Math.abs(exponent) > 60 ? undefined : { ...powerOfTen(exponent), format: 'exponent' };
}

function powerOfTen(power: number): { factor: bigint; divisor: bigint } {
  const size = 10n ** BigInt(Math.abs(power));
  return power >= 0 ? { factor: size, divisor: 1n } : { factor: 1n, divisor: size };
}

/** The text that the API server writes: no fraction, the largest suffix that is exact. */
export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return '0';
  if (format === 'binary' && nano % NANO === 0n && abs(nano / NANO) >= 1024n) return binaryText(nano / NANO);
  return decimalText(nano, format === 'exponent');
}

function binaryText(value: bigint): string {
  let step = 0;
  while (step < BINARY.length - 1 && value % 1024n === 0n) {
    value /= 1024n;
    step++;
  }
  return `${value}${BINARY[step]}`;
}

function decimalText(nano: bigint, exponent: boolean): string {
  let step = 0;
  while (step < DECIMAL.length - 1 && nano % 1000n === 0n) {
    nano /= 1000n;
    step++;
  }
  const power = (step - 3) * 3;
  return exponent ? `${nano}${power === 0 ? '' : `e${power}`}` : `${nano}${DECIMAL[step]}`;
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** Canonical text of a quantity, or the text itself when it is none. */
export function canonicalQuantity(text: string | number): string {
  const quantity = parseQuantity(text);
  return quantity === undefined ? String(text) : formatQuantity(quantity);
}

/** -1, 0 or 1; what is no quantity counts as 0. */
export function compareQuantities(left: string | number, right: string | number): number {
  const a = parseQuantity(left)?.nano ?? 0n;
  const b = parseQuantity(right)?.nano ?? 0n;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
