/**
 * The sockets of pods: bound by the node on exact addresses, duplicated into sandboxes, kept here so that connections
 * wait in the backlog while a container restarts. UDP and SCTP ports are declarations only.
 */
import { closeSync } from 'node:fs';
import { listenTcp, type TcpAddress } from '#kit/os';
import type { Container, Pod } from '#kube/types';
import type { Listener } from '#runtime';
import type { BoundPorts, PortProblem } from './contract.ts';

export type Listen = (address: TcpAddress) => number;

export interface Wanted extends TcpAddress {
  readonly container: string;
  readonly name: string;
}

export class Listeners {
  readonly #listen: Listen;
  readonly #close: (fd: number) => void;
  /** By pod, then by `address:port`. */
  readonly #bound = new Map<string, Map<string, Listener>>();

  constructor({ listen = listenTcp, close = closeQuietly }: { listen?: Listen; close?: (fd: number) => void } = {}) {
    this.#listen = listen;
    this.#close = close;
  }

  bind(podUid: string, wanted: readonly Wanted[]): BoundPorts {
    const bound = this.#of(podUid);
    const listeners = new Map<string, Listener[]>();
    const problems: PortProblem[] = [];
    for (const want of wanted) {
      const key = `${want.address}:${want.port}`;
      try {
        const listener = bound.get(key) ?? {
          name: want.name,
          address: want.address,
          port: want.port,
          fd: this.#listen(want),
        };
        bound.set(key, listener);
        listeners.set(want.container, [...(listeners.get(want.container) ?? []), { ...listener, name: want.name }]);
      } catch (error) {
        problems.push(problemOf(want, error));
      }
    }
    return { listeners, problems };
  }

  adopt(podUid: string, listeners: readonly Listener[]): void {
    const bound = this.#of(podUid);
    for (const listener of listeners) {
      const key = `${listener.address}:${listener.port}`;
      if (bound.has(key)) this.#close(listener.fd);
      else bound.set(key, listener);
    }
  }

  release(podUid: string): void {
    for (const { fd } of this.#bound.get(podUid)?.values() ?? []) this.#close(fd);
    this.#bound.delete(podUid);
  }

  releaseAll(): void {
    for (const podUid of [...this.#bound.keys()]) this.release(podUid);
  }

  #of(podUid: string): Map<string, Listener> {
    const known = this.#bound.get(podUid) ?? new Map<string, Listener>();
    this.#bound.set(podUid, known);
    return known;
  }
}

/** TCP ports of the main containers and sidecars on the pod's address, and host ports on the node's. */
export function wantedPorts(pod: Pod, { podIP, nodeAddress }: { podIP: string; nodeAddress: string }): Wanted[] {
  const stay = (container: Container) => container.restartPolicy === 'Always';
  const containers = [...(pod.spec?.initContainers ?? []).filter(stay), ...(pod.spec?.containers ?? [])];
  return containers.flatMap(({ name: container, ports = [] }) =>
    ports
      .filter(({ protocol = 'TCP' }) => protocol === 'TCP')
      .flatMap(({ name, containerPort, hostPort, hostIP }) => {
        const one = { container, name: name ?? String(containerPort), address: podIP, port: containerPort };
        if (hostPort === undefined || hostPort === 0) return [one];
        const given = hostIP === undefined || hostIP === '' || hostIP === '0.0.0.0' || hostIP === '::';
        const host = { ...one, address: given ? nodeAddress : hostIP, port: hostPort };
        return host.address === one.address && host.port === one.port ? [one] : [one, host];
      }),
  );
}

function problemOf({ container, address, port }: Wanted, error: unknown): PortProblem {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  if (code === 'EACCES' || code === 'EPERM') {
    const message = `port ${port} on ${address} needs the right to bind it: lower net.ipv4.ip_unprivileged_port_start to ${port}, or run the node as root`;
    return { container, address, port, kind: 'privileged', message };
  }
  if (code === 'EADDRINUSE') {
    return {
      container,
      address,
      port,
      kind: 'taken',
      message: `port ${port} on ${address} is taken by another process or pod`,
    };
  }
  const words = error instanceof Error ? error.message : String(error);
  return { container, address, port, kind: 'failed', message: `port ${port} on ${address} cannot be bound: ${words}` };
}

function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // Whoever closed it before us did what we want.
  }
}
