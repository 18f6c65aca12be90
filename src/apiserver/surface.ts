/**
 * What the API's core asks of its surface (discovery, OpenAPI, patching, tables, validation): pure functions, no store and no
 * request behind them. Failures are thrown as `StatusError`. The core wires the implementations together in `rest/surface-of.ts`.
 *
 * Where each lives: `patch/mod.ts` applyPatch, trackUpdate · `validation/mod.ts` decode, defaultObject, validateCreate,
 * validateUpdate · `tables/mod.ts` tableOf · `discovery/mod.ts` discoveryDocument · `openapi/mod.ts` openapiDocument.
 */
import type { KubeObject, ObjectMeta } from '#kube/types';
import type { KindRow, PatchFlavour, Subresource } from './kinds.ts';

export type ApiObject = KubeObject & { metadata: ObjectMeta; [field: string]: unknown };

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/** Which endpoint an object came to: the resource itself or one of its subresources. */
export interface Endpoint {
  readonly kind: KindRow;
  readonly subresource?: Subresource | undefined;
}

export interface Decoded {
  /** Unknown fields are gone, the shape of every known one is checked; neither defaulted nor validated. */
  readonly object: ApiObject;
  /** For `Warning: 299 - "…"` headers. */
  readonly warnings: readonly string[];
}

export interface PatchRequest extends Endpoint {
  readonly type: PatchFlavour;
  /** Parsed JSON (for `apply` the YAML text is parsed before). */
  readonly body: unknown;
  /** Undefined only for `apply` of an object that is not there yet. */
  readonly current: ApiObject | undefined;
  readonly fieldManager: string;
  readonly force: boolean;
  readonly fieldValidation: FieldValidation;
  /** RFC 3339, for managedFields. */
  readonly now: string;
}

export interface Column {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  readonly priority: number;
}

export interface Row {
  readonly cells: readonly unknown[];
  readonly conditions?: readonly unknown[];
  readonly object: unknown;
}

export interface TableParts {
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
}

export interface TableOptions {
  /** What a row carries: `?includeObject=`. */
  readonly includeObject: 'None' | 'Metadata' | 'Object';
  /** Milliseconds, for ages. */
  readonly now: number;
}

export interface Answer {
  readonly contentType: string;
  readonly body: string | Uint8Array;
  readonly etag?: string | undefined;
}

export interface Surface {
  /**
   * A request's body as the kind's object: `apiVersion` and `kind` are filled in. 400 where the body's differ or its shape is wrong
   * ("… in version "v1" cannot be handled as a Pod: …"), and for unknown or duplicate fields when `Strict`.
   * `text` is the raw JSON or YAML, for duplicate keys.
   */
  decode(endpoint: Endpoint, body: unknown, options: { fieldValidation: FieldValidation; text?: string }): Decoded;
  /** Fills in what Kubernetes fills in (pod defaults etc.). Changes the object given. */
  defaultObject(kind: KindRow, object: ApiObject): void;
  /** 422 with every cause when the object may not be created. */
  validateCreate(endpoint: Endpoint, object: ApiObject): void;
  /** 422 when `object` may not replace `old` (immutable fields, immutable Secret, pod spec …). */
  validateUpdate(endpoint: Endpoint, object: ApiObject, old: ApiObject): void;
  /** The patched object: decoded, with managedFields kept for all flavours; not yet defaulted nor validated. */
  applyPatch(request: PatchRequest): Decoded;
  /** metadata.managedFields after a create (`old` undefined) or update by `fieldManager`. Changes `object`. */
  trackUpdate(
    object: ApiObject,
    old: ApiObject | undefined,
    options: Endpoint & { fieldManager: string; now: string },
  ): void;
  tableOf(kind: KindRow, objects: readonly ApiObject[], options: TableOptions): TableParts;
  /** `/api`, `/api/v1`, `/apis`, `/apis/G`, `/apis/G/V`, by Accept also aggregated; undefined: not a discovery path. */
  discoveryDocument(path: string, accept: string, options: { serverAddress: string }): Answer | undefined;
  /** `/openapi/v3`, `/openapi/v3/api/v1`, `/openapi/v2` …; undefined: no such document. */
  openapiDocument(path: string, accept: string): Answer | undefined;
}
