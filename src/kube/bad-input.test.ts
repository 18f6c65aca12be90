/** Feeds every row of "Answers of the API server" in docs/bad-input.md, and fails for a row without a case or a case without a row. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { WasmletError } from '#kit';
import type { KubeClient } from './client.ts';
import { connect } from './http-client.ts';
import { PODS } from './resources.ts';

interface Row {
  readonly answer: string;
  readonly code: string;
  readonly message: string;
  readonly retry: string;
}

function readRows(heading: string): Row[] {
  const text = readFileSync(new URL('../../docs/bad-input.md', import.meta.url), 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(1).map((line) => {
    const [answer = '', code = '', message = '', retry = ''] = line.slice(2, -2).split(' | ');
    return { answer, code, message, retry };
  });
}

interface Case {
  readonly answer: ((response: ServerResponse) => void) | 'closed';
  readonly watch?: boolean;
}

function body(text: string, status = 200, headers: Record<string, string> = {}): Case {
  return {
    answer: (response) => {
      response.writeHead(status, headers);
      response.end(text);
    },
  };
}

function refusal(code: number, reason: string, headers: Record<string, string> = {}): Case {
  return body(JSON.stringify({ kind: 'Status', status: 'Failure', code, reason, message: reason }), code, headers);
}

const cases: Readonly<Record<string, Case>> = {
  'nothing listens': { answer: 'closed' },
  'it ends the connection in the answer': {
    answer: (response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"kind":');
      setImmediate(() => response.destroy());
    },
  },
  'a web page': body('<html>'),
  'a list where an object should be': body('[]'),
  'more bytes than allowed': body(JSON.stringify({ kind: 'x'.repeat(2000) })),
  'a watch line that is not JSON': { ...body('garbage\n'), watch: true },
  'a watch event of no known type': { ...body('{"type":"ODD","object":{}}\n'), watch: true },
  '401': refusal(401, 'Unauthorized'),
  '403': refusal(403, 'Forbidden'),
  '404': refusal(404, 'NotFound'),
  '409': refusal(409, 'Conflict'),
  '429 that asks for an hour': refusal(429, 'TooManyRequests', { 'retry-after': '3600' }),
  '429 that asks for no wait, each time': refusal(429, 'TooManyRequests', { 'retry-after': '0' }),
  '500 with plain words': body('etcd is ill\n', 500),
  '502 of a proxy, empty': body('', 502),
};

const rows = readRows('Answers of the API server');

test('every row has a case and every case a row', () => {
  assert.deepEqual(rows.map(({ answer }) => answer).sort(), Object.keys(cases).sort());
});

async function call(client: KubeClient, watch: boolean): Promise<void> {
  if (watch) await Array.fromAsync(client.watch(PODS));
  else await client.get(PODS, { namespace: 'default', name: 'a' });
}

for (const { answer, code, message, retry } of rows) {
  test(answer, async () => {
    const given = cases[answer];
    assert.ok(given);
    const server = createServer((_, response) =>
      given.answer === 'closed' ? response.destroy() : given.answer(response),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    if (given.answer === 'closed') await new Promise((resolve) => server.close(resolve));
    await using client = connect({ server: `http://127.0.0.1:${port}`, limits: { bodyBytes: 1000 } });
    const error = await call(client, given.watch === true).catch((caught: unknown) => caught);
    assert.ok(error instanceof WasmletError);
    assert.deepEqual([error.code, error.retry], [code, retry]);
    assert.ok(error.message.includes(message), error.message);
    server.closeAllConnections();
    server.close();
  });
}
