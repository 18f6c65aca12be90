/**
 * A sandbox: the control thread. It speaks with the node, keeps the table of workloads and watches the loop thread on which
 * the guests live. It was started by the launcher, behind its walls, with its sockets open; it outlives the node.
 */
import { existsSync, fstatSync, ftruncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { totalmem } from 'node:os';
import { messageOf } from '#kit';
import { endWithin, ffiAvailable, refuseSystemCalls, startTimeOf } from '#kit/os';
import { Connections } from './control/connection.ts';
import { Inbox } from './control/inbox.ts';
import { boundOf } from './control/pressure.ts';
import { Workloads } from './control/workloads.ts';
import { launched, NO_WALLS_EXIT, type SandboxConfig } from './launch.ts';
import type { Request } from './protocol/messages.ts';
import { VERSIONS } from './protocol/version.ts';

/** A sandbox without node and without a live guest is of no use to anybody; its exits are on disk. */
const LONELY_MS = 60_000;
const PRESSURE_MS = 2000;
const MOST_LOG_BYTES = 1024 * 1024;

const { config, walls, controlFd, descriptorsFd } = launched<SandboxConfig>();
const seccomp = walls['rings_refused'] === true && refusesSystemCalls();
if (!seccomp && config.demanded?.includes('seccomp') === true) {
  console.error('it would stand without the demanded walls: seccomp');
  process.exit(NO_WALLS_EXIT);
}
const inbox = descriptorsFd === undefined ? undefined : new Inbox(descriptorsFd);
const startTime = startTimeOf(process.pid) ?? 0;

const workloads: Workloads = new Workloads({
  exitsDirectory: config.exitsDirectory,
  inbox,
  insecureTrustedGuests: config.insecureTrustedGuests,
  changed: (event, key, state) => connections.event(event, key, state),
});

/** Here and not in the launcher, because it refuses execve; before any guest, and on every thread. */
function refusesSystemCalls(): boolean {
  try {
    refuseSystemCalls();
    return true;
  } catch (error) {
    console.error(`Cannot refuse system calls: ${messageOf(error)}`);
    return false;
  }
}

function listeners(podUid: string) {
  return workloads.listenersOf(podUid).map(({ fd, ...listener }) => {
    const token = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('hex');
    inbox?.send(token, fd);
    return { ...listener, token };
  });
}

async function handle(request: Request): Promise<unknown> {
  switch (request.do) {
    case 'ping':
      return;
    case 'assign':
      return void workloads.warm();
    case 'create':
      return workloads.create(request.spec);
    case 'start':
      return workloads.start(request.workload);
    case 'kill':
      return workloads.kill(request.workload, request.signal);
    case 'delete':
      return workloads.delete(request.workload);
    case 'stats':
      return workloads.stats(request.workload);
    case 'resize':
      return workloads.resize(request.workload, request.limits);
    case 'snapshot':
      return workloads.page(request.after);
    case 'listeners':
      return listeners(request.podUid);
    case 'stop':
      // The answer leaves first.
      setTimeout(() => process.exit(0), 20);
      return;
  }
}

const server = createServer();
const connections = new Connections(server, {
  hello: () => ({
    hello: 'wasmlet-sandbox',
    versions: VERSIONS,
    sandbox: config.id,
    pid: process.pid,
    startTime,
    sequence: workloads.sequence,
    walls: Object.entries({
      no_new_privs: walls['no_new_privs'] === true,
      landlock: walls['landlock'] === true,
      seccomp,
      uid: walls['uid'] === true,
      cgroup: walls['cgroup'] === true,
    }),
  }),
  handle,
});

/** Ends this process and, with it, only its own workloads; the node finds why in the log and in the file. */
function fail(error: unknown): never {
  const text = `Cannot go on: ${error instanceof Error ? error.stack : messageOf(error)}`;
  console.error(text);
  try {
    writeFileSync(`${config.exitsDirectory}/crash`, text.slice(0, 4000));
  } catch {
    // The log has it.
  }
  process.exit(70);
}

process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
// The node ends guests gracefully before it stops a sandbox; without a node SIGTERM is for us to obey.
process.on('SIGTERM', () => {
  if (!connections.connected) process.exit(143);
});
process.on('SIGHUP', () => {});
// A loop thread whose helper hangs in the kernel cannot be joined.
process.on('exit', () => endWithin(1000));
process.on('SIGINT', () => {});

/** The node bounds this process's output while it runs; while it is away, nobody else does. */
function boundLog(): void {
  try {
    if (!connections.connected && fstatSync(1).size > MOST_LOG_BYTES) ftruncateSync(1, 0);
  } catch {
    // No file.
  }
}

let lonelySince = Date.now();
setInterval(() => {
  if (connections.connected || workloads.alive > 0) lonelySince = Date.now();
  // Without its folder no node knows of it, nor ever will: one that was killed while it started this.
  else if (Date.now() - lonelySince > LONELY_MS || !existsSync(config.exitsDirectory)) process.exit(0);
  boundLog();
}, 10_000).unref();

let relieving = false;
const boundBytes = boundOf(totalmem());
setInterval(() => {
  if (relieving || workloads.alive === 0) return;
  const residentBytes = process.memoryUsage.rss();
  if (residentBytes <= boundBytes) return;
  relieving = true;
  void workloads.relieve({ residentBytes, boundBytes }).finally(() => {
    relieving = false;
  });
}, PRESSURE_MS).unref();

if (config.assigned) void workloads.warm();
if (controlFd === undefined) server.listen(config.controlPath);
else server.listen({ fd: controlFd });
if (!ffiAvailable()) console.error('This Node has no node:ffi: guests run without walls');
