/** Images for pods: pull policies, secrets, back-off and events. `createImageManager` makes one. */
export type {
  ContainerKind,
  ImageAnswer,
  ImageEvent,
  ImageManager,
  ImageRequest,
  ImageWaiting,
  RecordImageEvent,
} from './contract.ts';
