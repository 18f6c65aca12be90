/** `GET /healthz` on 127.0.0.1:10248, without TLS or rights, as kubeadm and health checkers of the machine expect it. */
import type { Server } from 'node:http';
import type { Log } from '#kit';

// Not by `import`, whose names load undici: 4.6 MB that an idle node would hold for nothing.
const { createServer } = process.getBuiltinModule('node:http');

export interface HealthzServer extends AsyncDisposable {
  readonly url: string;
}

const ADDRESS = '127.0.0.1';
/** A machine may run a kubelet beside this node: so many ports are looked at before it goes without. */
const TRIES = 10;

/** `healthy` says what is wrong, or nothing. Undefined when no port was free: the node runs without. */
export async function serveHealthz(
  port: number,
  { log, problem }: { log: Log; problem: () => string | undefined },
): Promise<HealthzServer | undefined> {
  const server = createServer({ headersTimeout: 5_000, requestTimeout: 5_000 }, (request, response) => {
    const known = request.url === '/healthz' || request.url === '/healthz/ping';
    const state = known ? problem() : undefined;
    response.writeHead(known ? (state === undefined ? 200 : 500) : 404, {
      'content-type': 'text/plain; charset=utf-8',
    });
    response.end(known ? (state ?? 'ok') : '404 page not found\n');
  });
  server.maxConnections = 64;
  for (let at = port; at < port + TRIES; at++) {
    if (!(await listens(server, at))) continue;
    if (at !== port) log.info('The health port is taken, using the next', { wanted: port, port: at });
    return {
      url: `http://${ADDRESS}:${at}/healthz`,
      async [Symbol.asyncDispose]() {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  }
  log.warn('The health port and the next ones are taken: running without', { port });
  return undefined;
}

function listens(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const failed = (): void => resolve(false);
    server.once('error', failed);
    server.listen({ host: ADDRESS, port, exclusive: true }, () => {
      server.off('error', failed);
      resolve(true);
    });
  });
}
