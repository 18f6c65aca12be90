/** `wasmlet get`: objects as the server's own table, or whole as JSON or YAML. */
import { type KubeClient, pathOf, type Resource } from '#kube';
import type { KubeList, KubeObject } from '#kube/types';
import { connectTo, describeObject, refusal, resourceOfWord } from '../cluster.ts';
import type { Arguments, Context } from '../command.ts';
import { textTable } from '../text-table.ts';

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

interface Table {
  readonly kind: string;
  readonly columnDefinitions?: readonly { readonly name: string; readonly priority?: number }[];
  readonly rows?: readonly { readonly cells: readonly unknown[]; readonly object?: KubeObject }[];
  readonly metadata?: { readonly resourceVersion?: string };
}

interface Query {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly selector: string | undefined;
}

export async function run(context: Context, args: Arguments): Promise<number> {
  await using client = await connectTo(context, args);
  const [kinds = '', name] = args.positionals;
  const output = args.value('output') ?? 'table';
  for (const word of kinds.split(',')) {
    const resource = await resourceOfWord(client, word, context.signal);
    const namespace =
      resource.namespaced && !args.has('all-namespaces') ? (args.value('namespace') ?? 'default') : undefined;
    const query = { resource, namespace, name, selector: args.value('selector') };
    if (output === 'table' || output === 'wide')
      await showTable(context, client, { query, wide: output === 'wide', args });
    else await showObjects(context, client, { query, output });
  }
  return 0;
}

async function showTable(
  context: Context,
  client: KubeClient,
  { query, wide, args }: { query: Query; wide: boolean; args: Arguments },
): Promise<void> {
  const table = await fetchTable(client, query, context.signal);
  const everywhere = query.resource.namespaced && query.namespace === undefined;
  if ((table.rows ?? []).length === 0 && !args.has('watch')) {
    context.stderr.write(
      `No resources found${query.namespace === undefined ? '' : ` in ${query.namespace} namespace`}.\n`,
    );
    return;
  }
  context.stdout.write(renderTable(table, { wide, everywhere }));
  if (args.has('watch'))
    await follow(context, client, { query, wide, everywhere, from: table.metadata?.resourceVersion });
}

function collectionPath({ resource, namespace, name, selector }: Query, more: Record<string, string> = {}): string {
  const search = new URLSearchParams(more);
  if (selector !== undefined) search.set('labelSelector', selector);
  if (name !== undefined && more['watch'] !== undefined) search.set('fieldSelector', `metadata.name=${name}`);
  const path = pathOf(resource, { namespace, name: more['watch'] === undefined ? name : undefined });
  return search.size === 0 ? path : `${path}?${search}`;
}

async function fetchTable(client: KubeClient, query: Query, signal: AbortSignal): Promise<Table> {
  const answer = await client.raw(collectionPath(query), { headers: { accept: TABLE }, signal });
  const text = await answer.text();
  if (answer.status !== 200) throw refusal(answer.status, text, `get ${query.resource.plural}`);
  return JSON.parse(text) as Table;
}

interface TableView {
  readonly wide: boolean;
  readonly everywhere: boolean;
  readonly header?: boolean;
}

function renderTable(table: Table, { wide, everywhere, header = true }: TableView): string {
  const columns = (table.columnDefinitions ?? [])
    .map((column, at) => ({ ...column, at }))
    .filter(({ priority = 0 }) => wide || priority === 0);
  const head = columns.map(({ name }) => name.toUpperCase());
  const rows = (table.rows ?? []).map(({ cells, object }) => {
    const shown = columns.map(({ at }) => cellText(cells[at]));
    return everywhere ? [object?.metadata?.namespace ?? '', ...shown] : shown;
  });
  const text = textTable(everywhere ? ['NAMESPACE', ...head] : head, rows);
  return header ? text : text.slice(text.indexOf('\n') + 1);
}

function cellText(cell: unknown): string {
  return cell === null || cell === undefined ? '<none>' : String(cell);
}

async function follow(
  context: Context,
  client: KubeClient,
  { query, wide, everywhere, from }: { query: Query; wide: boolean; everywhere: boolean; from: string | undefined },
): Promise<void> {
  const path = collectionPath(query, { watch: 'true', ...(from === undefined ? {} : { resourceVersion: from }) });
  const answer = await client.raw(path, { headers: { accept: TABLE }, signal: context.signal });
  let columns: Table['columnDefinitions'] = [];
  let rest = '';
  const decoder = new TextDecoder();
  try {
    for await (const chunk of answer.body) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines.filter((text) => text !== '')) {
        const { object } = JSON.parse(line) as { object: Table };
        columns = object.columnDefinitions?.length ? object.columnDefinitions : columns;
        if (object.kind === 'Table')
          context.stdout.write(
            renderTable({ ...object, columnDefinitions: columns ?? [] }, { wide, everywhere, header: false }),
          );
      }
    }
  } catch (error) {
    if (!context.signal.aborted) throw error;
  }
}

async function showObjects(
  context: Context,
  client: KubeClient,
  { query, output }: { query: Query; output: string },
): Promise<void> {
  const { resource, namespace, name, selector } = query;
  const answer: KubeObject | KubeList<KubeObject> =
    name === undefined
      ? await client.list(resource, { namespace, labelSelector: selector, signal: context.signal })
      : await client.get(resource, { namespace, name }, { signal: context.signal });
  if (output === 'json') context.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
  if (output === 'yaml') context.stdout.write((await import('#kit/yaml')).stringify(answer));
  if (output === 'name') {
    const items = 'items' in answer ? answer.items : [answer];
    for (const { metadata } of items) context.stdout.write(`${describeObject(resource, metadata?.name ?? '')}\n`);
  }
}
