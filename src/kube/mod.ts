/** The door of `kube`: Kubernetes as a wire. */
export type * from './client.ts';
export {
  ApiStatusError,
  isAlreadyExists,
  isConflict,
  isForbidden,
  isGone,
  isInvalid,
  isNotFound,
  isTooManyRequests,
  isUnauthorized,
  KUBE_ERRORS,
  kubeError,
} from './errors.ts';
export {
  createEventRecorder,
  type EventInput,
  type EventRecorder,
  type EventRecorderOptions,
  referenceTo,
} from './events.ts';
export {
  type ClientIdentity,
  type ClientLimits,
  type ConnectConfig,
  connect,
  type HttpKubeClient,
} from './http-client.ts';
export { type Change, type Informer, type InformerOptions, informer } from './informer.ts';
export {
  connectByKubeconfig,
  connectConfigOf,
  defaultKubeconfigPath,
  loadAccess,
  readMaterial,
} from './kubeconfig/connect.ts';
export {
  type Access,
  accessOf,
  type ClusterEntry,
  formatKubeconfig,
  type Kubeconfig,
  type Material,
  parseKubeconfig,
  type UserEntry,
} from './kubeconfig/kubeconfig.ts';
export {
  addQuantities,
  compareQuantities,
  formatQuantity,
  milliValueOf,
  parseQuantity,
  type Quantity,
  type QuantityFormat,
  quantityOf,
  subtractQuantities,
  wholeValueOf,
} from './quantity.ts';
export { OUTCOMES, type Outcome, outcomeOf } from './reasons.ts';
export * from './resources.ts';
export {
  type FieldRequirement,
  isLabelKey,
  isLabelValue,
  type LabelOperator,
  type LabelRequirement,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  requirementsOf,
} from './selectors.ts';
export { fromTime, toMicroTime, toTime } from './time.ts';
