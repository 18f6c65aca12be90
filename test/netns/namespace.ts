/**
 * Network namespaces of the tests: a control plane, a node's pod addresses and several "hosts" live in one each, so that
 * nothing that a test does can reach, or be reached from, another address than its own.
 *
 * Named ones (`ip netns`), so that a person can look inside: `ip netns exec NAME sh`. The name carries its owner's id and
 * start time; `sweepNamespaces` removes those whose owner is gone, with the processes that are still in them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { need, run } from '../processes/command.ts';
import { identityOf, isAlive } from '../processes/owner.ts';

/** The address of a namespace's "host", beside loopback. A private one that no interface outside has anything to do with. */
export const HOST_ADDRESS = '10.250.0.1';

const PREFIX = 'wasmlet-';

export interface Namespace extends AsyncDisposable {
  readonly name: string;
  /** Put before a command to run it inside; empty when this process is inside already. */
  readonly enter: readonly string[];
  /** The host's own address, on loopback's interface. */
  readonly address: string;
  /** Ids of the processes inside. */
  processes(): Promise<number[]>;
  /** Kills what is still inside, by id, and removes it. Returns the command lines of what it had to kill. */
  remove(): Promise<string[]>;
}

let made = 0;

/** A new namespace with loopback up and one host address. Needs root, or a user namespace in which one is root. */
export async function makeNamespace({
  label = 'test',
  address = HOST_ADDRESS,
}: {
  label?: string;
  address?: string;
} = {}): Promise<Namespace> {
  await sweepNamespaces();
  const name = `${PREFIX}${identityOf()}-${made++}-${label}`;
  await ip('netns', 'add', name);
  const namespace = openNamespace(name, { address });
  try {
    await ip('-n', name, 'link', 'set', 'lo', 'up');
    await ip('-n', name, 'address', 'add', `${address}/32`, 'dev', 'lo');
  } catch (error) {
    await namespace.remove();
    throw error;
  }
  return namespace;
}

/** The namespace that `npm test` put this process in, if it did. */
export function currentNamespace(): Namespace | undefined {
  const name = process.env['WASMLET_TEST_NAMESPACE'];
  return name === undefined ? undefined : { ...openNamespace(name, { address: HOST_ADDRESS }), enter: [] };
}

function openNamespace(name: string, { address }: { address: string }): Namespace {
  async function remove(): Promise<string[]> {
    return await removeNamespace(name);
  }
  return {
    name,
    address,
    // Not `ip netns exec`: that also gives a mount namespace of its own, in which mounts of a former start are missing.
    enter: [need('nsenter'), `--net=/run/netns/${name}`, '--'],
    processes: () => processesIn(name),
    remove,
    async [Symbol.asyncDispose]() {
      await remove();
    },
  };
}

/**
 * Joins two namespaces by a cable (a veth pair): `first` and `second` are the addresses of its ends, of one /24 that the
 * caller picks.
 */
export async function connect(
  [one, first]: readonly [Namespace, string],
  [two, second]: readonly [Namespace, string],
): Promise<void> {
  const id = `${process.pid.toString(36)}${(made++).toString(36)}`;
  const [left, right] = [`wl${id}a`, `wl${id}b`];
  await ip('-n', one.name, 'link', 'add', left, 'type', 'veth', 'peer', 'name', right, 'netns', two.name);
  for (const [{ name }, device, address] of [
    [one, left, first],
    [two, right, second],
  ] as const) {
    await ip('-n', name, 'address', 'add', `${address}/24`, 'dev', device);
    await ip('-n', name, 'link', 'set', device, 'up');
  }
}

/** Removes the namespaces of owners that are gone, and returns their names. */
export async function sweepNamespaces(): Promise<string[]> {
  const stale = listNamespaces().filter((name) => {
    const owner = /^wasmlet-(\d+-\d+)-/.exec(name)?.[1];
    return owner !== undefined && !isAlive(owner);
  });
  for (const name of stale) await removeNamespace(name);
  return stale;
}

export function listNamespaces(): string[] {
  try {
    return readdirSync('/run/netns').filter((name) => name.startsWith(PREFIX));
  } catch {
    return []; // no namespace was ever made since boot
  }
}

async function removeNamespace(name: string): Promise<string[]> {
  const killed: string[] = [];
  // Twice and more: what is killed may just have started another.
  for (let round = 0; round < 20; round++) {
    const pids = (await processesIn(name)).filter((pid) => pid !== process.pid);
    if (pids.length === 0) break;
    for (const pid of pids) killed.push(...kill(pid));
    await setTimeout(5 * round);
  }
  if (listNamespaces().includes(name)) await ip('netns', 'delete', name);
  return killed;
}

async function processesIn(name: string): Promise<number[]> {
  if (!listNamespaces().includes(name)) return [];
  const { stdout } = await run([need('ip'), 'netns', 'pids', name], { accept: 'any' });
  return stdout.split('\n').filter(Boolean).map(Number);
}

function kill(pid: number): string[] {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
    process.kill(pid, 'SIGKILL');
    return words === '' ? [] : [words];
  } catch {
    return []; // it ended by itself
  }
}

async function ip(...args: string[]): Promise<void> {
  await run([need('ip'), ...args]);
}
