/**
 * The contract of a flavour: one of the forms in which WebAssembly lies in registries. A new flavour is a file here and a
 * row in `mod.ts`. A flavour answers only for what it knows; `undefined` passes the image on to the next one.
 */
import type { Descriptor, ImageManifest } from '../manifest.ts';

export interface FlavourInput {
  readonly manifest: ImageManifest;
  /** The parsed configuration, bounded; what is in it is not checked. */
  readonly config: Readonly<Record<string, unknown>>;
}

export interface Recognised {
  readonly module: Descriptor;
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly env?: readonly (readonly [name: string, value: string])[];
  readonly workingDir?: string;
  readonly stopSignal?: string | undefined;
  readonly user?: string | undefined;
  readonly labels?: Readonly<Record<string, string>>;
}

/** The image is of this flavour, and yet nothing that this node runs; `state` ends the sentence 'Cannot run …: it is '. */
export interface Refusal {
  readonly refused: string;
}

export interface Flavour {
  readonly name: string;
  /** Said to people whose image was refused. */
  readonly accepts: string;
  /** Whether the configuration is worth fetching. */
  wants(manifest: ImageManifest): boolean;
  recognise(input: FlavourInput): Recognised | Refusal | undefined;
}
