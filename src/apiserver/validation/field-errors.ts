/** Collects what is wrong with an object, in the order in which it is found. Source: apimachinery `pkg/util/validation/field`. */
import type { FieldError } from './problems.ts';

export class FieldErrors {
  readonly list: FieldError[] = [];

  required(field: string, detail = ''): void {
    this.list.push({ field, type: 'FieldValueRequired', detail });
  }

  invalid(field: string, value: unknown, detail: string): void {
    this.list.push({ field, type: 'FieldValueInvalid', value, detail });
  }

  /** One error a message: what a rule of `names.ts` answered. */
  invalidFor(field: string, value: unknown, messages: readonly string[]): void {
    for (const message of messages) this.invalid(field, value, message);
  }

  notSupported(field: string, value: unknown, supported: readonly string[]): void {
    const detail = `supported values: ${supported.map((text) => JSON.stringify(text)).join(', ')}`;
    this.list.push({ field, type: 'FieldValueNotSupported', value, detail });
  }

  forbidden(field: string, detail: string): void {
    this.list.push({ field, type: 'FieldValueForbidden', detail });
  }

  duplicate(field: string, value: unknown): void {
    this.list.push({ field, type: 'FieldValueDuplicate', value });
  }

  notFound(field: string, value: unknown): void {
    this.list.push({ field, type: 'FieldValueNotFound', value });
  }

  tooLong(field: string, limit: number): void {
    this.list.push({ field, type: 'FieldValueTooLong', detail: `may not be more than ${limit} bytes` });
  }

  /** A choice that must be made: required when empty, else one of `supported`. */
  choice(field: string, value: string | undefined, supported: readonly string[]): void {
    if (value === undefined || value === '') this.required(field);
    else if (!supported.includes(value)) this.notSupported(field, value, supported);
  }
}
