/** The door of Kubernetes' types as data: decoding, structure, the round trip through Go's types, quantities. */
export { type Decoded, DecodeError, decodeJson, decodeYaml } from './decode.ts';
export { applyDefaults } from './defaults/mod.ts';
export {
  allDefinitions,
  childOf,
  type Definition,
  definitionNamed,
  definitionNameOf,
  definitionOf,
  FIELDS_V1,
  type Field,
  type GroupVersionKind,
  INT_OR_STRING,
  isLeaf,
  MICRO_TIME,
  QUANTITY,
  RAW_EXTENSION,
  resolved,
  TIME,
} from './definitions.ts';
export { descriptionOf } from './descriptions.ts';
export { decodeProtobuf, type FromProtobuf, PROTOBUF_TYPE } from './protobuf.ts';
export {
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  QUANTITY_ERROR,
  type Quantity,
} from './quantity.ts';
export { prune, roundTrip } from './round-trip.ts';
export { type StructureReport, validateStructure } from './structure.ts';
