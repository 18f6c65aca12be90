import type { ListMeta, ObjectMeta, Status } from './kubernetes.generated.ts';

/** What every Kubernetes object has. Source: API conventions, "Resources". */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
}

/** A list as the API server answers it. */
export interface KubeList<T extends KubeObject> {
  apiVersion?: string;
  kind?: string;
  metadata?: ListMeta;
  items: T[];
}

/** One line of a watch. Source: apimachinery `pkg/watch/watch.go`. */
export type WatchEventOf<T extends KubeObject> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T }
  | { type: 'BOOKMARK'; object: KubeObject }
  | { type: 'ERROR'; object: Status };
