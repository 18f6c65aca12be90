/** The requests of `recorded/`, sent to our server: same statuses, same answers, but for what `deviations.ts` lists. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { DEVIATIONS } from './deviations.ts';
import { type Exchange, isDocument, type Recording } from './exchange.ts';
import { differences, normalised } from './normalise.ts';
import { type Names, replay } from './replay.ts';
import { NAMESPACE, SCENARIOS } from './script.ts';
import { startTestServer, type TestServer } from './server.ts';

for (const { name } of SCENARIOS) {
  describe(`requests of kubectl recorded against the real API server: ${name}`, () => {
    let server: TestServer;
    const names: Names = new Map();

    before(async () => {
      server = await startTestServer();
      const body = JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
      await server.send({
        method: 'POST',
        path: '/api/v1/namespaces?fieldManager=kubectl-create',
        headers: { 'content-type': 'application/json' },
        body,
      });
      await until(server, `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/default`);
      await until(server, `/api/v1/namespaces/${NAMESPACE}/configmaps/kube-root-ca.crt`);
    });

    after(async () => await server[Symbol.asyncDispose]());

    it('answers as the real one does', async (context) => {
      const { exchanges } = JSON.parse(
        await readFile(new URL(`./recorded/${name}.json`, import.meta.url), 'utf8'),
      ) as Recording;
      for (const [index, exchange] of exchanges.entries()) {
        await context.test(
          `${index} ${exchange.method} ${exchange.path.slice(0, 100)} (kubectl ${exchange.step.slice(0, 60)})`,
          async () => {
            await compare(server, exchange, names);
          },
        );
      }
    });
  });
}

async function until(server: TestServer, path: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const { status } = await server.send({ method: 'GET', path });
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`Cannot wait for ${path}: it does not come`);
}

async function compare(server: TestServer, exchange: Exchange, names: Names): Promise<void> {
  const ours = await replay(server, exchange, names);
  const path = exchange.path.split('?')[0] ?? '';
  const real = partsOf(exchange, exchange.path);
  const found = differences(normalised(real), normalised(partsOf(ours, exchange.path)));
  const open = found.filter(({ at }) => !isDeviation({ at, path, step: exchange.step }));
  const lines = open.map(
    ({ at, real: wanted, ours: got }) => `${at}: the real one ${JSON.stringify(wanted)}, ours ${JSON.stringify(got)}`,
  );
  assert.deepEqual(lines, []);
}

interface Compared {
  readonly status: number;
  readonly answerType?: string | undefined;
  readonly warnings?: readonly string[];
  readonly answer?: unknown;
}

/** Of documents only that they are there. */
function partsOf({ status, answerType, warnings = [], answer }: Compared, path: string): object {
  // The recorded client knew some already (304); ours is asked anew.
  if (isDocument(path)) return { status: status === 304 ? 200 : status };
  return { status, answerType: answerType?.split(';')[0], warnings, answer };
}

const met = new Set<(typeof DEVIATIONS)[number]>();

function isDeviation(found: { readonly at: string; readonly path: string; readonly step: string }): boolean {
  const listed = DEVIATIONS.find(
    ({ path, step, at }) => at.test(found.at) && path.test(found.path) && (step?.test(found.step) ?? true),
  );
  if (listed !== undefined) met.add(listed);
  return listed !== undefined;
}

describe('deviations from the real API server', () => {
  it('are all met, or no longer listed', () => {
    assert.deepEqual(
      DEVIATIONS.filter((deviation) => !met.has(deviation)).map(({ why }) => why),
      [],
    );
  });
});
