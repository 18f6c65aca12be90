/** The door to Kubernetes' own object shapes: types only, nothing at run time. */
export type * from './kubernetes.generated.ts';
export type { KubeList, KubeObject, WatchEventOf } from './object.ts';
