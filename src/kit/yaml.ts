/**
 * YAML, loaded by those who need it (`await import('#kit/yaml')`), since it keeps 4 MB resident. Named here one by one: a bundled
 * dynamic import of the package itself, which is CommonJS, would have no names.
 */
export { LineCounter, parse, parseAllDocuments, parseDocument, stringify } from 'yaml';
