/** Our API server in a folder of its own, for the tests of this group. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApiServer } from '#apiserver';

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  readonly dir: string;
  send(call: Call): Promise<Answered>;
}

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
  /** For a watch: ends it after so many lines, or after a second without one. */
  readonly lines?: number | undefined;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

export async function startTestServer(): Promise<TestServer> {
  const dir = await mkdtemp(join(tmpdir(), 'wasmlet-api-'));
  const server = await startApiServer({ dataDir: dir, port: 0 });
  const credentials = await adminOf(server.adminKubeconfig);
  const agent = new Agent({ ca: server.ca, ...credentials, keepAlive: true });
  return {
    url: server.url,
    kubeconfig: server.adminKubeconfig,
    dir,
    send: (call) => send(server.url, agent, call),
    async [Symbol.asyncDispose]() {
      agent.destroy();
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function adminOf(path: string): Promise<{ cert: Buffer; key: Buffer }> {
  const text = await readFile(path, 'utf8');
  const field = (name: string): Buffer =>
    Buffer.from(new RegExp(`"?${name}"?: *"?([A-Za-z0-9+/=]+)`).exec(text)?.[1] ?? '', 'base64');
  return { cert: field('client-certificate-data'), key: field('client-key-data') };
}

function send(server: string, agent: Agent, { method, path, headers = {}, body, lines }: Call): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const asked = request(`${server}${path}`, { method, headers: { ...headers, ...length }, agent });
    asked.on('error', reject);
    asked.on('response', (answer) => {
      let text = '';
      const finish = (): void => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text });
      let quiet = lines === undefined ? undefined : setTimeout(end, 1000);
      function end(): void {
        asked.destroy();
        finish();
      }
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (lines === undefined) return;
        clearTimeout(quiet);
        quiet = setTimeout(end, text.split('\n').length > lines ? 50 : 1000);
      });
      answer.on('end', () => {
        clearTimeout(quiet);
        finish();
      });
      answer.on('error', () => finish());
    });
    asked.end(body);
  });
}
