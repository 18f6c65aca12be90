/** Pods: one serial worker a pod, a pure plan, and effects in one file a kind. `createPodManager` puts them together. */
export type { PodManagerDependencies } from './dependencies.ts';
export { createPodManager } from './manager.ts';
