/**
 * What an image comes down to once its flavour was recognised: one module and how to start it. The node maps it and a
 * pod to a workload of the runtime; nothing here knows what a pod is.
 */
export interface WorkloadImage {
  /** Canonical name with tag or digest, as in `docker.io/library/hello:latest`. */
  readonly reference: string;
  /** `name@sha256:…`: what `containerStatuses[].imageID` says. */
  readonly id: string;
  /** Digest of the manifest, `sha256:…`. */
  readonly digest: string;
  readonly moduleDigest: string;
  /** The verified file in the content store. */
  readonly modulePath: string;
  /** Bytes of manifest, configuration and module together. */
  readonly size: number;
  /** The program's name for argv[0] where neither image nor pod gives a command: the title of the layer, or the repository's last word. */
  readonly programName: string;
  /** As in an OCI image configuration; empty for a bare artifact. */
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly (readonly [name: string, value: string])[];
  /** '' if the image says nothing. */
  readonly workingDir: string;
  readonly stopSignal: string | undefined;
  readonly user: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Which of the table in `flavours/` it was. */
  readonly flavour: string;
}
