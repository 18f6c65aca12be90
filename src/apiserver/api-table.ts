/** `docs/api.md`, made from the table of kinds. Written by `node scripts/generate-api-doc.ts`, held against the file by a test. */
import { apiVersionOf, KINDS, type KindRow, type Subresource } from './kinds.ts';

const HEAD = `# The embedded API

Made from \`src/apiserver/kinds.ts\` by \`node scripts/generate-api-doc.ts\`; a test holds it against the code. This is the API of \`wasmlet up\`;
\`wasmlet join\` uses the cluster's.

Administrators (\`system:masters\`, the kubeconfig of the data directory) may do everything here and may impersonate. A node may what the node
authorizer allows, in short below. A bootstrap token may ask for a certificate. A service account may ask who it is, what it may, and read
discovery; there is no RBAC. Nothing is anonymous but \`/healthz\`, \`/livez\` and \`/readyz\`.

Bodies come as JSON, YAML or protobuf and answers go as JSON, also as Table and PartialObjectMetadata. \`pods/exec\`, \`attach\`, \`portforward\` and
\`proxy\` are not served yet.

| group and version | kind | resource | short | verbs | patch types | who besides administrators |
|---|---|---|---|---|---|---|
`;

export function apiDocument(): string {
  return (
    HEAD +
    KINDS.flatMap((kind) => [kindLine(kind), ...kind.subresources.map((one) => subresourceLine(kind, one))]).join('')
  );
}

function kindLine(kind: KindRow): string {
  const patches = kind.patchTypes.join(', ');
  return line([
    apiVersionOf(kind),
    kind.kind,
    code(kind.plural),
    kind.shortNames.join(', '),
    kind.verbs.join(', '),
    patches,
    kind.who,
  ]);
}

function subresourceLine(kind: KindRow, { name, kind: own, verbs }: Subresource): string {
  const patches = verbs.includes('patch') ? kind.patchTypes.join(', ') : '';
  return line([apiVersionOf(kind), own, code(`${kind.plural}/${name}`), '', verbs.join(', '), patches, '']);
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |\n`;
}

function code(text: string): string {
  return `\`${text}\``;
}
