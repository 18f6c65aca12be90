/** Finds out at the first request which HTTP the server speaks, and stays with it until `renew`. */
import { abortable } from './deadline.ts';
import { connectTls } from './tls.ts';
import type { Lane, Transport, TransportConfig } from './transport.ts';

export function openTransport(config: TransportConfig): Transport {
  let chosen: Promise<Transport> | undefined;

  function choose(lane: Lane): Promise<Transport> {
    chosen ??= negotiate(config, lane).catch((error) => {
      chosen = undefined;
      throw error;
    });
    return chosen;
  }

  return {
    async send(request) {
      const transport = await abortable(choose(request.lane), request.signal);
      return await transport.send(request);
    },
    renew() {
      chosen?.then(
        (transport) => transport.renew(),
        () => {},
      );
    },
    async close() {
      await chosen?.then(
        (transport) => transport.close(),
        () => {},
      );
      chosen = undefined;
    },
  };
}

/** Each protocol is loaded when a server asks for it: a node talks to one server and needs one. */
async function negotiate(config: TransportConfig, lane: Lane): Promise<Transport> {
  if (config.origin.protocol === 'http:') return (await import('./http1.ts')).http1Transport(config);
  const socket = await connectTls(config, ['h2', 'http/1.1']);
  if (socket.alpnProtocol !== 'h2') {
    socket.destroy();
    return (await import('./http1.ts')).http1Transport(config);
  }
  const transport = (await import('./http2.ts')).http2Transport(config);
  transport.adopt(socket, lane);
  return transport;
}
