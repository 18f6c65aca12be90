/**
 * What a pod's worker asks of the image manager. Source of the words and the order: kubelet
 * `pkg/kubelet/images/image_manager.go`, `pkg/kubelet/kubelet_pods.go`.
 */
import type { Container, ContainerImage, Pod, Secret } from '#kube/types';
import type { WorkloadImage } from '#oci';

export type ContainerKind = 'containers' | 'initContainers' | 'ephemeralContainers';

export interface ImageRequest {
  readonly pod: Pod;
  readonly container: Pick<Container, 'name' | 'image' | 'imagePullPolicy'>;
  /** For the event's field path; `containers` if not given. */
  readonly kind?: ContainerKind | undefined;
  /** From `pullSecrets`. */
  readonly secrets: readonly Secret[];
  /** Ends the wait for a pull; the pull itself goes on if another pod waits for it. */
  readonly signal?: AbortSignal | undefined;
}

export interface ImageWaiting {
  /** The container's waiting reason: ErrImagePull, ImagePullBackOff, ErrImageNeverPull, InvalidImageName, RegistryUnavailable, ImageInspectError. */
  readonly reason: string;
  readonly message: string;
}

export type ImageAnswer =
  | { readonly image: WorkloadImage; readonly waiting?: undefined }
  | {
      readonly image?: undefined;
      readonly waiting: ImageWaiting;
      /** When asking again may give another answer, in milliseconds since the epoch. */
      readonly retryAt: number;
    };

/** Finds a Secret; undefined or an error for one that can't be had. */
export type GetSecret = (namespace: string, name: string) => Promise<Secret | undefined>;

export interface ImageManager extends AsyncDisposable {
  /**
   * The image of a container, pulled if its policy says so, or why it has to wait. Events are recorded on the way. Rejects only
   * when `signal` is aborted. Asking before `retryAt` is fine and answers the same.
   */
  ensureImage(request: ImageRequest): Promise<ImageAnswer>;
  /** The secrets that `spec.imagePullSecrets` names; those that can't be had are told by an event and left out. */
  pullSecrets(pod: Pod, get: GetSecret): Promise<readonly Secret[]>;
  /** Forgets back-offs of a pod that is gone. */
  forget(podUid: string): void;
  /** For `node.status.images`: the largest first, at most 50, at most 5 names each. */
  images(): Promise<readonly ContainerImage[]>;
}
