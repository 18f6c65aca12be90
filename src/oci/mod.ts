/** The door of `oci`: registries, artifacts, and the content store. */
export type { WorkloadImage } from './image.ts';
