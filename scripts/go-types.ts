/**
 * Reads what Kubernetes' OpenAPI leaves out of its Go types: whether a field is a pointer, whether its zero value is
 * written (`omitempty`, `omitzero`), and the Go name of its type, which the API server's decoding errors carry.
 *
 * For `generate-kube.ts`. It is no Go parser: it knows the one shape that `types.go` files of the API have.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface GoField {
  /** Go type as written, without the pointer's star: `string`, `[]Container`, `map[string]string`, `metav1.Time`. */
  readonly type: string;
  readonly pointer: boolean;
  readonly omitEmpty: boolean;
  readonly omitZero: boolean;
  /** Field numbers of its protobuf form: more than one where structs that JSON has flat are messages of their own. */
  readonly protobuf: readonly number[];
}

export type GoStruct = Map<string, GoField>;

/** Structs of one package folder, embedded ones flattened; and the named types that are not structs. */
export interface GoPackage {
  readonly structs: Map<string, GoStruct>;
  readonly named: Map<string, string>;
}

export function readGoPackage(folder: string): GoPackage {
  const raw = new Map<string, RawStruct>();
  const named = new Map<string, string>();
  if (!existsSync(folder)) return { structs: new Map(), named };
  for (const file of readdirSync(folder).filter((name) => /^(types.*|micro_time|time)\.go$/.test(name))) {
    const text = readFileSync(join(folder, file), 'utf8');
    for (const [, name = '', body = ''] of text.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm))
      raw.set(name, struct(body));
    for (const [, name = '', type = ''] of text.matchAll(/^type (\w+) ((?:map\[|\[\])?[\w.\]]+)$/gm))
      named.set(name, type);
  }
  const structs = new Map([...raw.keys()].map((name) => [name, flatten(name, raw)] as const));
  return { structs, named };
}

interface RawStruct {
  readonly fields: GoStruct;
  /** Names of the structs inside it that JSON has flat, with their protobuf field numbers. */
  readonly embedded: readonly (readonly [name: string, protobuf: readonly number[]])[];
}

function struct(body: string): RawStruct {
  const fields: GoStruct = new Map();
  for (const [, type = '', tag = '', json = ''] of body.matchAll(/^\s*\w+\s+(\S+)\s+`([^`]*?json:"([^"]*)"[^`]*)`/gm)) {
    const [name = '', ...flags] = json.split(',');
    if (name === '' || name === '-') continue;
    fields.set(name, {
      type: type.replace(/^\*/, ''),
      pointer: type.startsWith('*'),
      omitEmpty: flags.includes('omitempty'),
      omitZero: flags.includes('omitzero'),
      protobuf: numbersOf(tag),
    });
  }
  const inline = [...body.matchAll(/^\s*(?:\w+\s+)?(\w+)\s+`(json:",inline[^`]*)`/gm)];
  return { fields, embedded: inline.map(([, name = '', tag = '']) => [name, numbersOf(tag)] as const) };
}

/** `protobuf:"bytes,2,opt,name=x"` has number 2. */
function numbersOf(tag: string): number[] {
  const number = /protobuf:"\w+,(\d+)/.exec(tag)?.[1];
  return number === undefined ? [] : [Number(number)];
}

function flatten(name: string, raw: ReadonlyMap<string, RawStruct>): GoStruct {
  const own = raw.get(name);
  if (own === undefined) return new Map();
  const inherited = own.embedded.flatMap(([inner, numbers]) =>
    [...flatten(inner, raw)].map(
      ([key, field]) => [key, { ...field, protobuf: [...numbers, ...field.protobuf] }] as const,
    ),
  );
  return new Map([...inherited, ...own.fields]);
}
