/**
 * Images for pods, as the kubelet's image manager: policy, credentials, turns, back-off, events. Who calls: a pod's worker, once
 * a container that is to be started. What to do is decided in `policy.ts` and `backoff.ts`; here it is done.
 *
 * One thing is ours: an image that is there and is no WebAssembly waits at the longest pause from the start and is told of
 * once a pod and digest, because a pod that a DaemonSet puts on every node would otherwise fill the cluster's events.
 */
import { type Clock, type Log, messageOf, silentLog, systemClock } from '#kit';
import { type EventRecorder, outcomeOf } from '#kube';
import type { ContainerImage, Pod, Secret } from '#kube/types';
import {
  type ContentStore,
  type Credential,
  credentialFromFiles,
  dockerConfigPaths,
  localImage,
  NotWasmError,
  Puller,
  type PullerOptions,
  type Reference,
  type WorkloadImage,
} from '#oci';
import { IMAGE_BACKOFF, ImageBackoffs } from './backoff.ts';
import type { GetSecret, ImageAnswer, ImageManager, ImageRequest } from './contract.ts';
import { listImages } from './list.ts';
import { planImage } from './policy.ts';
import { credentialsIn, findPullSecrets } from './secrets.ts';
import { Turns } from './turns.ts';
import { words } from './words.ts';

export interface ImageManagerOptions extends Pick<PullerOptions, 'insecureRegistries' | 'certsDirs' | 'timeouts'> {
  readonly store: ContentStore;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly clock?: Clock | undefined;
  readonly log?: Log | undefined;
  /** Pulls at a time; 1 is one after the other. */
  readonly parallel?: number | undefined;
  /** Docker configurations of the node, for every pod; those of the node's own user if not given. */
  readonly credentialFiles?: readonly string[] | undefined;
  /** For tests. */
  readonly puller?: Pick<Puller, 'pull' | typeof Symbol.dispose> | undefined;
}

type Credentials = { readonly credentials: readonly Credential[]; readonly shared: readonly Credential[] };

/** Milliseconds that a pull may take before the event that it has begun is written. */
const QUIET = 1000;
/** How long a failure is shown before the container turns to ImagePullBackOff. */
const SHOWN = 5000;

export function createImageManager(options: ImageManagerOptions): ImageManager {
  return new Manager(options);
}

class Manager implements ImageManager {
  readonly #options: ImageManagerOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #puller: Pick<Puller, 'pull' | typeof Symbol.dispose>;
  readonly #turns: Turns;
  readonly #backoffs = new ImageBackoffs();

  constructor(options: ImageManagerOptions) {
    const {
      clock = systemClock,
      log = silentLog,
      parallel = 3,
      store,
      insecureRegistries,
      certsDirs,
      timeouts,
    } = options;
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#turns = new Turns(parallel);
    this.#puller =
      options.puller ??
      new Puller({
        store,
        clock,
        ...(insecureRegistries === undefined ? {} : { insecureRegistries }),
        ...(certsDirs === undefined ? {} : { certsDirs }),
        ...(timeouts === undefined ? {} : { timeouts }),
      });
    // What died half way in an earlier life, and content that nothing names any more.
    store.gc().catch((error: unknown) => log.debug('cannot tidy the content store', { error: messageOf(error) }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#puller[Symbol.dispose]();
  }

  async ensureImage(request: ImageRequest): Promise<ImageAnswer> {
    const image = request.container.image ?? '';
    const plan = planImage(image, request.container.imagePullPolicy);
    if (plan.do === 'refuse') return this.#refuse(request, plan);
    if (plan.do === 'pull') return await this.#pull(request, plan.reference);
    let known: WorkloadImage | undefined;
    try {
      const { credentials } = credentialsIn(request.secrets, plan.reference);
      known = await localImage(this.#options.store, plan.reference, { credentials });
    } catch (error) {
      const message = words.inspect(image, messageOf(error));
      return this.#refuse(request, { reason: 'ImageInspectError', message, event: 'InspectFailed' });
    }
    if (known !== undefined) {
      this.#record(request, { reason: 'Pulled', message: words.present(image) });
      return { image: known };
    }
    if (plan.do === 'use-or-pull') return await this.#pull(request, plan.reference);
    return this.#refuse(request, {
      reason: 'ErrImageNeverPull',
      message: words.never(image),
      event: 'ErrImageNeverPull',
    });
  }

  async pullSecrets(pod: Pod, get: GetSecret): Promise<readonly Secret[]> {
    const { secrets, missing } = await findPullSecrets(pod, get);
    if (missing.length > 0) {
      const message = words.missingSecrets(missing);
      this.#options.events.record(pod, { type: 'Warning', reason: 'FailedToRetrieveImagePullSecret', message });
    }
    return secrets;
  }

  forget(podUid: string): void {
    this.#backoffs.forget(`${podUid}_`);
  }

  images(): Promise<readonly ContainerImage[]> {
    return listImages(this.#options.store);
  }

  async #pull(request: ImageRequest, reference: Reference): Promise<ImageAnswer> {
    const image = request.container.image ?? '';
    const key = `${request.pod.metadata?.uid ?? ''}_${image}`;
    const waiting = this.#backoffs.current(key, this.#clock.now());
    if (waiting !== undefined) {
      const message = words.backOff(image);
      if (waiting.refusedDigest === undefined) {
        this.#record(request, { reason: 'BackOff', message });
        this.#record(request, { type: 'Warning', reason: 'Failed', message: 'Error: ImagePullBackOff' });
      }
      return {
        waiting: { reason: 'ImagePullBackOff', message: `${message}: ${waiting.text}` },
        retryAt: waiting.until,
      };
    }
    const before = this.#backoffs.last(key);
    const asked = this.#clock.now();
    const say = this.#announce(request, words.pulling(image), before?.refusedDigest !== undefined);
    let done: (() => void) | undefined;
    try {
      done = await this.#turns.take(request.signal);
      const started = this.#clock.now();
      const pulled = await this.#puller.pull(reference, {
        ...(await this.#credentials(request, reference)),
        signal: request.signal,
      });
      say.now();
      const now = this.#clock.now();
      const took = { took: now - started, waited: now - asked, size: pulled.size };
      this.#record(request, { reason: 'Pulled', message: words.pulled(image, took) });
      this.#backoffs.forget(key);
      this.#backoffs.sweep(now);
      return { image: pulled };
    } catch (error) {
      request.signal?.throwIfAborted();
      return this.#failed(request, { key, error, say: say.now });
    } finally {
      done?.();
      say.stop();
    }
  }

  /** Tells that a pull has begun: after a moment, or when its end has to be told, and never for an image that is none of ours. */
  #announce(request: ImageRequest, message: string, silent: boolean): { now: () => void; stop: () => void } {
    const over = new AbortController();
    let said = silent;
    const say = (): void => {
      if (!said) this.#record(request, { reason: 'Pulling', message });
      said = true;
    };
    this.#clock.sleep(QUIET, { signal: over.signal }).then(say, () => {});
    return { now: say, stop: () => over.abort() };
  }

  #failed(request: ImageRequest, { key, error, say }: { key: string; error: unknown; say: () => void }): ImageAnswer {
    const image = request.container.image ?? '';
    const now = this.#clock.now();
    const code = (error as { code?: unknown }).code;
    const reason = outcomeOf(typeof code === 'string' ? code : '').reason ?? 'ErrImagePull';
    const text = messageOf(error);
    const message = reason === 'RegistryUnavailable' ? words.unavailable(image, text) : text;
    const refusedDigest = error instanceof NotWasmError ? (error.digest ?? 'unknown') : undefined;
    const known = refusedDigest !== undefined && this.#backoffs.last(key)?.refusedDigest === refusedDigest;
    const failure = this.#backoffs.fail(key, { text: `${reason}: ${message}`, now, refusedDigest });
    this.#log.debug('pull failed', { image, error: text, until: failure.until });
    if (!known) {
      if (refusedDigest === undefined) say();
      this.#record(request, { type: 'Warning', reason: 'Failed', message: words.failed(image, text) });
      if (refusedDigest === undefined)
        this.#record(request, { type: 'Warning', reason: 'Failed', message: `Error: ${reason}` });
    }
    return { waiting: { reason, message }, retryAt: Math.min(now + SHOWN, failure.until) };
  }

  async #credentials({ secrets, pod }: ImageRequest, reference: Reference): Promise<Credentials> {
    const { credentials, problems } = credentialsIn(secrets, reference);
    for (const message of problems) {
      this.#options.events.record(pod, { type: 'Warning', reason: 'FailedToRetrieveImagePullSecret', message });
    }
    const files = this.#options.credentialFiles ?? dockerConfigPaths(process.env);
    try {
      const shared = await credentialFromFiles(reference, files);
      return { credentials, shared: shared === undefined ? [] : [shared] };
    } catch (error) {
      this.#log.warn('cannot use the credentials of the node', { error: messageOf(error) });
      return { credentials, shared: [] };
    }
  }

  #refuse(request: ImageRequest, refusal: { reason: string; message: string; event: string }): ImageAnswer {
    const { reason, message, event } = refusal;
    this.#record(request, { type: 'Warning', reason: event, message });
    this.#record(request, { type: 'Warning', reason: 'Failed', message: `Error: ${reason}` });
    return { waiting: { reason, message }, retryAt: this.#clock.now() + IMAGE_BACKOFF.base };
  }

  #record(request: ImageRequest, event: { type?: 'Normal' | 'Warning'; reason: string; message: string }): void {
    const { pod, container, kind = 'containers' } = request;
    const fieldPath = `spec.${kind}{${container.name}}`;
    this.#options.events.record(pod, { type: 'Normal', ...event, fieldPath });
  }
}
