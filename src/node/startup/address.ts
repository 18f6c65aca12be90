/** Which of the machine's addresses the node has: the one from which the API server is reached. */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { messageOf } from '#kit';
import { nodeError } from '../errors.ts';

/** Asks the routing table by connecting a datagram socket, which sends nothing. */
export async function addressTowards(server: string): Promise<string> {
  const host = new URL(server).hostname.replace(/^\[|\]$/g, '');
  try {
    const target = isIP(host) === 0 ? (await lookup(host)).address : host;
    return await sourceFor(target);
  } catch (cause) {
    throw nodeError('NODE_ADDRESS_UNKNOWN', `Cannot find the address of this node: ${messageOf(cause)}`, {
      cause,
      hint: 'Give one with --node-ip',
    });
  }
}

function sourceFor(target: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIP(target) === 6 ? 'udp6' : 'udp4');
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.connect(9, target, () => {
      const { address } = socket.address();
      socket.close();
      resolve(address);
    });
  });
}

/** An address that may stand in a Node object and be bound: exact, never a wildcard. */
export function checkAddress(address: string): string {
  if (isIP(address) !== 0 && !['0.0.0.0', '::'].includes(address)) return address;
  throw nodeError(
    'NODE_OPTION_INVALID',
    `Cannot use '${address}' as the address of this node: not one exact IP address`,
    {
      hint: 'Give one address of this machine: a wildcard would take the ports of every pod',
    },
  );
}
