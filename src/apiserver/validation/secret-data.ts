/** `stringData` is only ever written: it becomes `data`. Source: `pkg/apis/core/v1/conversion.go`. */
interface SecretFields {
  kind?: unknown;
  data?: unknown;
  stringData?: unknown;
  [field: string]: unknown;
}

/** Changes the object given, when it is a Secret with `stringData`. */
export function foldStringData(object: SecretFields): void {
  const { stringData } = object;
  if (object.kind !== 'Secret' || typeof stringData !== 'object' || stringData === null) return;
  const encoded = Object.entries(stringData).map(
    ([key, value]) => [key, Buffer.from(String(value)).toString('base64')] as const,
  );
  object.data = { ...(object.data as object | undefined), ...Object.fromEntries(encoded) };
  delete object.stringData;
}
