/** What the pod side of a node is made of; `start.ts` puts it together, tests put fakes in. */
import type { Clock, Log } from '#kit';
import type { EventRecorder, KubeClient } from '#kube';
import type { Service } from '#kube/types';
import type { Runtime } from '#runtime';
import type { ImageManager } from '../image/mod.ts';
import type { PodNetwork } from '../network/contract.ts';

export interface PodManagerDependencies {
  readonly client: KubeClient;
  readonly runtime: Runtime;
  readonly images: ImageManager;
  readonly events: EventRecorder;
  readonly network: PodNetwork;
  readonly dataDir: string;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Log;
  /** `status.allocatable`: the default of limits in `resourceFieldRef`. */
  readonly allocatable?: (() => Readonly<Record<string, string | number>>) | undefined;
  /** Services of all namespaces; undefined until they were listed once: no pod starts before. Absent: there are none. */
  readonly services?: (() => readonly Service[] | undefined) | undefined;
  /** KUBERNETES_SERVICE_HOST and _PORT where no Service `default/kubernetes` is known. */
  readonly apiAddress?: { readonly host: string; readonly port: number } | undefined;
  /** The handler of a RuntimeClass; undefined if there is no such class. Absent: the three names of docs/names.md only. */
  readonly runtimeHandler?: ((name: string) => Promise<string | undefined>) | undefined;
  /** How long a pod's ConfigMaps and Secrets may be old, in milliseconds. */
  readonly refreshEvery?: number | undefined;
  /** Cleaning up what no pod owns is left out: for tests that watch it. */
  readonly keepOrphans?: boolean | undefined;
}
