/** The table of flavours, asked in this order. */
import { NotWasmError } from '../errors.ts';
import type { Descriptor, ImageIndex, ImageManifest, Platform } from '../manifest.ts';
import { INDEX_TYPES } from '../media-types.ts';
import { cncf } from './cncf.ts';
import type { Flavour, FlavourInput, Recognised } from './flavour.ts';
import { wasmToOci } from './wasm-to-oci.ts';

export const FLAVOURS: readonly Flavour[] = [wasmToOci, cncf];

export function wantsConfig(manifest: ImageManifest): boolean {
  return FLAVOURS.some((flavour) => flavour.wants(manifest));
}

/** The flavour of an image; `what` names it in the refusal, which says what was found and what is accepted. */
export function recognise(what: string, input: FlavourInput): Recognised & { readonly flavour: string } {
  for (const flavour of FLAVOURS) {
    const found = flavour.recognise(input);
    if (found === undefined) continue;
    if ('refused' in found) throw notWasm(what, found.refused);
    return { ...found, flavour: flavour.name };
  }
  throw notWasm(what, describe(input));
}

/** The one manifest of an index that may be ours: that of a wasm platform, else one without a platform. */
export function chooseManifest(what: string, index: ImageIndex): Descriptor {
  const candidates = index.manifests.filter((manifest) => !INDEX_TYPES.includes(manifest.mediaType));
  const platforms = candidates.map((manifest) => manifest.platform);
  const wasm = candidates.find((manifest) => isWasm(manifest.platform));
  const plain = candidates.length === 1 ? candidates.find((manifest) => manifest.platform === undefined) : undefined;
  const chosen = wasm ?? plain;
  if (chosen !== undefined) return chosen;
  const names = [...new Set(platforms.map((platform) => platformName(platform)))];
  const shown = names.length > 6 ? `${names.slice(0, 6).join(', ')} and ${names.length - 6} more` : names.join(', ');
  throw notWasm(what, names.length === 0 ? 'an empty index' : `an index without wasm: ${shown}`);
}

export function notWasm(what: string, found: string): NotWasmError {
  const accepted = FLAVOURS.map((flavour) => flavour.accepts).join(' or ');
  return new NotWasmError(
    `Cannot run ${what}: it is ${found}; this node runs WebAssembly, one layer of ${accepted}`,
    'Push a wasm32-wasi (preview 1) module with `wasmlet push`, or keep the pod off this node',
  );
}

function isWasm(platform: Platform | undefined): boolean {
  return platform !== undefined && /^wasm/i.test(platform.architecture);
}

function platformName(platform: Platform | undefined): string {
  return platform === undefined ? 'no platform' : `${platform.os}/${platform.architecture}`;
}

function describe({ manifest, config }: FlavourInput): string {
  const layer = manifest.layers[0]?.mediaType ?? 'none';
  const { os, architecture } = config;
  if (typeof os === 'string' && typeof architecture === 'string') {
    return `a container image for ${os.slice(0, 32)}/${architecture.slice(0, 32)} (layers of ${layer})`;
  }
  return `an artifact with configuration ${manifest.config.mediaType} and layers of ${layer}`;
}
