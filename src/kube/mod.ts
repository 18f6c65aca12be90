/** The door of `kube`: Kubernetes as a wire. */
export type * from './client.ts';
export { OUTCOMES, type Outcome, outcomeOf } from './reasons.ts';
export * from './resources.ts';
