import { discoveryDocument } from '../discovery/mod.ts';
import { openapiDocument } from '../openapi/mod.ts';
import { applyPatch, trackUpdate } from '../patch/mod.ts';
import type { Surface } from '../surface.ts';
import { tableOf } from '../tables/mod.ts';
import { decode, defaultObject, validateCreate, validateUpdate } from '../validation/mod.ts';

/** The surface as it is; tests may put another one under the core. */
export const surface: Surface = {
  decode,
  defaultObject,
  validateCreate,
  validateUpdate,
  applyPatch,
  trackUpdate,
  tableOf,
  discoveryDocument,
  openapiDocument,
};
