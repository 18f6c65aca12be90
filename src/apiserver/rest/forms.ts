/** Objects as tables and as metadata alone. Source: apiserver `pkg/endpoints/handlers/response.go`. */

import type { KindRow } from '../kinds.ts';
import { badRequest } from '../status.ts';
import type { Entry } from '../store/collection.ts';
import type { TableOptions } from '../surface.ts';
import type { Api } from './api.ts';
import { shownOf } from './codec.ts';

export function metadataText(kind: KindRow, entry: Entry): string {
  const { metadata } = shownOf(kind, entry);
  return JSON.stringify({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata });
}

interface TableRequest {
  readonly kind: KindRow;
  readonly query: URLSearchParams;
  readonly entries: readonly Entry[];
  /** The list's metadata as JSON. */
  readonly meta: string;
  /** A watch tells the columns once. */
  readonly withoutColumns?: boolean;
}

export function tableText(api: Api, { kind, query, entries, meta, withoutColumns }: TableRequest): string {
  const includeObject = includeOf(query);
  const objects = entries.map((entry) => shownOf(kind, entry));
  const { columns, rows } = api.surface.tableOf(kind, objects, { includeObject, now: api.clock.now() });
  const definitions = withoutColumns === true ? 'null' : JSON.stringify(columns);
  const head = `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":${meta}`;
  return `${head},"columnDefinitions":${definitions},"rows":${JSON.stringify(rows)}}\n`;
}

export function includeOf(query: URLSearchParams): TableOptions['includeObject'] {
  const text = query.get('includeObject') ?? '';
  if (text === '' || text === 'Metadata') return 'Metadata';
  if (text === 'None' || text === 'Object') return text;
  throw badRequest(`unrecognized includeObject value: ${JSON.stringify(text)}`);
}
