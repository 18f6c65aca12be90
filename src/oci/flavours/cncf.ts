/**
 * The artifact of CNCF's TAG Runtime, which wkg writes. The first layer is what runs, and there is only one.
 * Source: github.com/cncf/tag-runtime `wgs/wasm/deliverables/wasm-oci-artifact`.
 */
import type { ImageManifest } from '../manifest.ts';
import { MEDIA } from '../media-types.ts';
import type { Flavour, FlavourInput, Recognised, Refusal } from './flavour.ts';

export const cncf: Flavour = {
  name: 'cncf',
  accepts: MEDIA.wasm,
  wants: isOurs,
  recognise,
};

function isOurs({ config }: ImageManifest): boolean {
  return config.mediaType === MEDIA.wasmConfig;
}

function recognise({ manifest, config }: FlavourInput): Recognised | Refusal | undefined {
  if (!isOurs(manifest)) return undefined;
  const [module, ...more] = manifest.layers;
  if (module === undefined) return { refused: 'an artifact without a layer' };
  if (more.length > 0) return { refused: `an artifact of ${manifest.layers.length} layers, of which only one may be` };
  if (module.mediaType !== MEDIA.wasm) return { refused: `an artifact whose layer is ${module.mediaType}` };
  const os = typeof config['os'] === 'string' ? config['os'].slice(0, 32) : 'none';
  if (os !== 'wasip1') return { refused: `a component or module for '${os}'` };
  return { module };
}
