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
  type ClientIdentity,
  type ClientLimits,
  type ConnectConfig,
  connect,
  type HttpKubeClient,
} from './http-client.ts';
export { OUTCOMES, type Outcome, outcomeOf } from './reasons.ts';
export * from './resources.ts';
