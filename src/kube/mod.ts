/** The door of `kube`: Kubernetes as a wire. */
export type * from './client.ts';
export * from './resources.ts';
