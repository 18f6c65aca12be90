/** The words of Kubernetes' documentation, for `kubectl explain` and table columns: 300 KB more than the table of types. */
import generated from './descriptions.generated.json' with { type: 'json' };

type Entry = readonly [text: string, properties: Readonly<Record<string, string>>];

const DESCRIPTIONS = generated as unknown as Readonly<Record<string, Entry>>;

/** Of a definition, or of one of its properties; '' where there is none. */
export function descriptionOf(definition: string, property?: string): string {
  const [text, properties] = DESCRIPTIONS[definition] ?? ['', {}];
  return property === undefined ? text : (properties[property] ?? '');
}
