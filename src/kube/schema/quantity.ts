/** Quantities as the API's texts: `kube/quantity.ts` knows what they are; here is what a decoder does with those that are none. */
import { compareQuantities as compare, formatQuantity, type Quantity, readQuantity } from '../quantity.ts';

export { formatQuantity, type Quantity } from '../quantity.ts';

export const QUANTITY_ERROR =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/** Longer ones, and those of a larger exponent, are nobody's amount of anything. */
const MAX_LENGTH = 64;
const MAX_EXPONENT = 60;

/** undefined for what is no quantity. */
export function parseQuantity(text: string | number): Quantity | undefined {
  if (typeof text === 'number' && !Number.isFinite(text)) return undefined;
  const source = String(text);
  const exponent = /[eE][+-]?(\d+)$/.exec(source)?.[1];
  if (source.length > MAX_LENGTH || Number(exponent ?? 0) > MAX_EXPONENT) return undefined;
  return readQuantity(source);
}

/** Canonical text of a quantity, or the text itself when it is none. */
export function canonicalQuantity(text: string | number): string {
  const quantity = parseQuantity(text);
  return quantity === undefined ? String(text) : formatQuantity(quantity);
}

const ZERO: Quantity = { nanos: 0n, format: 'DecimalSI' };

/** -1, 0 or 1; what is no quantity counts as 0. */
export function compareQuantities(left: string | number, right: string | number): number {
  return compare(parseQuantity(left) ?? ZERO, parseQuantity(right) ?? ZERO);
}
