/** How a connection to the API server proves both sides, and the handshake that also finds the protocol. */
import * as tls from 'node:tls';
import { messageOf } from '#kit';
import { kubeError } from '../errors.ts';
import { deadlineOf } from './deadline.ts';
import type { TransportConfig } from './transport.ts';

export function hostOf(origin: URL): string {
  return origin.hostname.replace(/^\[|\]$/g, '');
}

export function portOf(origin: URL): number {
  return origin.port === '' ? (origin.protocol === 'http:' ? 80 : 443) : Number(origin.port);
}

export function tlsOptionsOf(config: TransportConfig, protocols: readonly string[]): tls.ConnectionOptions {
  const identity = config.identity?.();
  return {
    ALPNProtocols: [...protocols],
    minVersion: 'TLSv1.2',
    rejectUnauthorized: config.insecureSkipVerify !== true,
    ...(config.ca === undefined ? {} : { ca: Buffer.from(config.ca) }),
    ...(config.serverName === undefined ? {} : { servername: config.serverName }),
    ...(identity === undefined ? {} : { cert: Buffer.from(identity.cert), key: Buffer.from(identity.key) }),
  };
}

/** A connected, verified socket; `alpnProtocol` says what the server chose. */
export async function connectTls(config: TransportConfig, protocols: readonly string[]): Promise<tls.TLSSocket> {
  const { origin, clock, connectTimeout } = config;
  using deadline = deadlineOf(clock, { ms: connectTimeout, what: `reach the API server ${origin.origin}` });
  return await new Promise((resolve, reject) => {
    let socket: tls.TLSSocket;
    try {
      socket = tls.connect({ ...tlsOptionsOf(config, protocols), host: hostOf(origin), port: portOf(origin) });
    } catch (error) {
      return reject(unreachable(origin, error));
    }
    function fail(error: unknown): void {
      socket.destroy();
      reject(unreachable(origin, error));
    }
    deadline.signal.addEventListener('abort', () => fail(deadline.signal.reason), { once: true });
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      socket.off('error', fail);
      socket.setKeepAlive(true, 30_000);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

/** One sentence for the whole family of connection failures; the hint tells the usual cause. */
export function unreachable(origin: URL, cause: unknown): Error {
  return kubeError('KUBE_UNREACHABLE', `Cannot reach the API server ${origin.origin}`, { cause, hint: hintOf(cause) });
}

function hintOf(cause: unknown): string {
  const code = (cause as { code?: string } | undefined)?.code ?? '';
  if (code === 'ECONNREFUSED') return 'Nothing listens there: is the API server running, and is the address right?';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return 'The name does not resolve: check the server line of the kubeconfig';
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/.test(code)) {
    return `The server's certificate is not trusted (${messageOf(cause)}): check certificate-authority in the kubeconfig`;
  }
  return 'Check the network to the API server and the server line of the kubeconfig';
}
