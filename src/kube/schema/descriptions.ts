/** The words of Kubernetes' documentation, for `kubectl explain`: 300 KB that only the OpenAPI documents load. */
export type Descriptions = Readonly<
  Record<string, readonly [text: string, properties: Readonly<Record<string, string>>]>
>;

export async function loadDescriptions(): Promise<Descriptions> {
  const { default: loaded } = await import('./descriptions.generated.json', { with: { type: 'json' } });
  return loaded as unknown as Descriptions;
}
