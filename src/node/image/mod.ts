/** Images for pods: pull policies, secrets, turns, back-off and events. */
export type {
  ContainerKind,
  GetSecret,
  ImageAnswer,
  ImageManager,
  ImageRequest,
  ImageWaiting,
} from './contract.ts';
export { createImageManager, type ImageManagerOptions } from './manager.ts';
