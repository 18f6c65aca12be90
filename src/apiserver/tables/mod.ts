/** Server-side printing: what `kubectl get` shows. Called for lists, single objects and each event of a watch. */
import type { Pod } from '#kube/types';
import type { KindRow } from '../kinds.ts';
import { apiVersionOf } from '../kinds.ts';
import type { ApiObject, Row, TableOptions, TableParts } from '../surface.ts';
import { columnsOf } from './columns.ts';
import { podCells, podRowConditions } from './pod-row.ts';
import { CELLS } from './rows.ts';

export { humanDuration } from './age.ts';

export function tableOf(kind: KindRow, objects: readonly ApiObject[], options: TableOptions): TableParts {
  return { columns: columnsOf(kind.kind), rows: objects.map((object) => rowOf(kind, object, options)) };
}

function rowOf(kind: KindRow, object: ApiObject, options: TableOptions): Row {
  const conditions = kind.kind === 'Pod' ? podRowConditions(object as Pod) : undefined;
  return {
    cells: cellsOf(kind, object, options.now),
    ...(conditions === undefined ? {} : { conditions }),
    object: shown(kind, object, options.includeObject),
  };
}

function cellsOf(kind: KindRow, object: ApiObject, now: number): unknown[] {
  if (kind.kind === 'Pod') return podCells(object as Pod, now);
  const cells = CELLS[kind.kind];
  return cells === undefined
    ? [object.metadata.name ?? '', object.metadata.creationTimestamp ?? null]
    : cells(object, now);
}

function shown(kind: KindRow, object: ApiObject, include: TableOptions['includeObject']): unknown {
  if (include === 'None') return null;
  if (include === 'Object') return { kind: kind.kind, apiVersion: apiVersionOf(kind), ...object };
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}
