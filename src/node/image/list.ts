/** The images of the store as `node.status.images` shows them. Source: kubelet `pkg/kubelet/nodestatus/setters.go` Images(). */
import type { ContainerImage } from '#kube/types';
import type { ContentStore } from '#oci';

const MAX_IMAGES = 50;
const MAX_NAMES = 5;

export async function listImages(store: ContentStore): Promise<readonly ContainerImage[]> {
  const images = new Map<string, { names: string[]; sizeBytes: number }>();
  for (const { reference, digest, size } of await store.refs.list()) {
    const image = images.get(digest) ?? { names: [], sizeBytes: size };
    image.names.push(reference);
    images.set(digest, image);
  }
  return [...images.values()]
    .sort((a, b) => b.sizeBytes - a.sizeBytes)
    .slice(0, MAX_IMAGES)
    .map(({ names, sizeBytes }) => ({ names: digestsFirst(names).slice(0, MAX_NAMES), sizeBytes }));
}

function digestsFirst(names: readonly string[]): string[] {
  const digests = names.filter((name) => name.includes('@'));
  return [...digests, ...names.filter((name) => !name.includes('@'))];
}
