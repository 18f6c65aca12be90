/** An object whose fields are known by name only: what defaulting works on. */
export type Fields = Record<string, unknown>;

/** Writes the defaults of one type into a value of it. */
export type Defaulter = (value: Fields) => void;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Sets what is absent or null. */
export function setMissing(value: Fields, defaults: Fields): void {
  for (const [key, wanted] of Object.entries(defaults)) {
    if (value[key] === undefined || value[key] === null) value[key] = wanted;
  }
}

/** Sets what is absent, null, empty or zero: the fields that are no pointers in Go. */
export function setZero(value: Fields, defaults: Fields): void {
  for (const [key, wanted] of Object.entries(defaults)) {
    const now = value[key];
    if (now === undefined || now === null || now === '' || now === 0) value[key] = wanted;
  }
}

export function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}
