/**
 * What `wasm-to-oci push` writes and Krustlet runs: a configuration that says nothing and exactly one layer.
 * Source: github.com/engineerd/wasm-to-oci `pkg/oci`, krustlet `crates/oci-distribution`.
 */
import type { ImageManifest } from '../manifest.ts';
import { MEDIA } from '../media-types.ts';
import type { Flavour, FlavourInput, Recognised, Refusal } from './flavour.ts';

export const wasmToOci: Flavour = {
  name: 'wasm-to-oci',
  accepts: MEDIA.legacyWasmLayer,
  wants: isOurs,
  recognise,
};

/** Older pushers write other configuration types, so the layer decides; a Spin application has an image configuration. */
function isOurs({ config, layers }: ImageManifest): boolean {
  if (config.mediaType === MEDIA.imageConfig || config.mediaType === MEDIA.dockerConfig) return false;
  return layers.some((layer) => layer.mediaType === MEDIA.legacyWasmLayer);
}

function recognise({ manifest }: FlavourInput): Recognised | Refusal | undefined {
  if (!isOurs(manifest)) return undefined;
  const [module, ...more] = manifest.layers;
  if (module === undefined) return undefined;
  if (more.length > 0) return { refused: `an artifact of ${manifest.layers.length} layers, of which only one may be` };
  return { module };
}
