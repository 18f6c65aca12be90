/** A proxy between kubectl and an API server that keeps what passes. Plain HTTP towards kubectl, on loopback. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Exchange, isDocument, isWatch, parsed, parsedWatch } from './exchange.ts';

export interface Upstream {
  /** `https://10.250.0.1:6443`. */
  readonly server: string;
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface Recorder extends AsyncDisposable {
  readonly url: string;
  readonly exchanges: Exchange[];
  /** Named in what is kept from now on. */
  step: string;
}

export async function startRecorder({ server, ca, cert, key }: Upstream): Promise<Recorder> {
  const agent = new Agent({ ca, cert, key, keepAlive: true });
  const exchanges: Exchange[] = [];
  const proxy = createServer((incoming, outgoing) => void pass(incoming, outgoing));
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const recorder: Recorder = {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    exchanges,
    step: '',
    async [Symbol.asyncDispose]() {
      proxy.closeAllConnections();
      proxy.close();
      agent.destroy();
    },
  };

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { step } = recorder;
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { host: _, 'accept-encoding': __, accept, ...headers } = incoming.headers;
    // Ours answers JSON only, and to everybody who takes it: so the answer to compare with is the real one's in JSON.
    if (accept !== undefined) headers['accept'] = withoutProtobuf(accept);
    const upstream = request(`${server}${incoming.url}`, { method: incoming.method ?? 'GET', headers, agent });
    upstream.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upstream.destroy());
    upstream.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      const answered: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => {
        answered.push(chunk);
        outgoing.write(chunk);
      });
      answer.on('end', () => outgoing.end());
      answer.on('error', () => outgoing.destroy());
      answer.on('close', () =>
        exchanges.push(kept({ incoming, body, answer, text: Buffer.concat(answered).toString(), step })),
      );
    });
    upstream.end(body);
  }
  return recorder;
}

function withoutProtobuf(accept: string): string {
  const clauses = accept.split(',').filter((clause) => !clause.includes('protobuf'));
  return clauses.length === 0 ? accept : clauses.join(',');
}

interface Passed {
  readonly incoming: IncomingMessage;
  readonly body: Buffer;
  readonly answer: IncomingMessage;
  readonly text: string;
  readonly step: string;
}

function kept({ incoming, body, answer, text, step }: Passed): Exchange {
  const path = incoming.url ?? '';
  const { accept, 'content-type': contentType } = incoming.headers;
  const { warning, 'content-type': answerType } = answer.headers;
  const warnings = warning === undefined ? [] : [warning].flat();
  return {
    step,
    method: incoming.method ?? 'GET',
    path,
    ...(accept === undefined ? {} : { accept }),
    ...(contentType === undefined ? {} : { contentType }),
    ...bodyOf(body, contentType),
    status: answer.statusCode ?? 0,
    ...(answerType === undefined ? {} : { answerType }),
    ...(warnings.length === 0 ? {} : { warnings }),
    ...(isDocument(path) ? {} : { answer: isWatch(path) ? parsedWatch(text) : parsed(text) }),
  };
}

function bodyOf(body: Buffer, contentType: string | undefined): Pick<Exchange, 'body' | 'bytes'> {
  if (body.length === 0) return {};
  return contentType?.includes('protobuf') ? { bytes: body.toString('base64') } : { body: parsed(body.toString()) };
}
