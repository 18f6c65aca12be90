/** Which form the client wants. Source: apiserver `pkg/endpoints/handlers/negotiation`. JSON is the only encoding of answers. */
import { PROTOBUF_TYPE } from '#kube/schema';
import { notAcceptable, unsupportedMediaType } from '../status.ts';

export type Form = 'object' | 'table' | 'metadata';

const ACCEPTED = ['application/json', 'application/yaml', PROTOBUF_TYPE];
const SERVED = ACCEPTED.slice(0, 1);

interface Clause {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** The first clause that can be served: `application/json;as=Table;v=v1;g=meta.k8s.io,application/json`. */
export function formOf(accept: string | undefined): Form {
  const text = accept ?? '';
  if (text === '') return 'object';
  const forms = text.slice(0, 4096).split(',').map(clauseOf).map(formOfClause);
  const form = forms.find((found) => found !== undefined);
  if (form === undefined) throw notAcceptable(SERVED);
  return form;
}

function clauseOf(text: string): Clause {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim());
  const pairs = rest.map((part): [string, string] => {
    const at = part.indexOf('=');
    return at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)];
  });
  return { type: type.toLowerCase(), parameters: new Map(pairs) };
}

function formOfClause({ type, parameters }: Clause): Form | undefined {
  if (type !== 'application/json' && type !== 'application/*' && type !== '*/*') return undefined;
  const as = parameters.get('as');
  if (as === undefined) return 'object';
  if (parameters.get('g') !== 'meta.k8s.io' || parameters.get('v') !== 'v1') return undefined;
  if (as === 'Table') return 'table';
  return as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList' ? 'metadata' : undefined;
}

/** How the body is written. 415 for what is none of the three; protobuf is read because Go clients send it without asking. */
export function bodyType(contentType: string | undefined): 'json' | 'yaml' | 'protobuf' {
  const type = plainType(contentType);
  if (type === '' || type === 'application/json') return 'json';
  if (type === 'application/yaml') return 'yaml';
  if (type === PROTOBUF_TYPE) return 'protobuf';
  throw unsupportedMediaType(ACCEPTED);
}

export function plainType(contentType: string | undefined): string {
  return (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}
