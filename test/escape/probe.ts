/**
 * Native attempts: system calls from inside of a sandbox or of the admission process, as an attacker would make them who has the whole
 * process. Preloaded there by `native.ts`; waits until the process has given up what it gives up, tries, writes a line of JSON to the log.
 * Each call is harmless where it succeeds: its arguments are of no use, or it only looks.
 */
import { readdirSync, readFileSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { cString, pointerTo, syscall } from '../../src/kit/os/mod.ts';
import { SOCKETS } from './probe-sockets.ts';

export interface Aim {
  readonly dataDir: string;
  readonly victimSecret: string;
  readonly victimPid: number;
  readonly nodePid: number;
  readonly own: string;
  /** Where the line goes that tells what came out: a descriptor, or a file. */
  readonly report: number | string;
}

export interface Native {
  readonly area: 'files' | 'processes' | 'sockets' | 'system';
  readonly name: string;
  /** A result of 0 or more, or a negated errno. */
  readonly call: (aim: Aim) => number;
}

const p = (text: string) => pointerTo(cString(text));
const AT_FDCWD = -100;
const O_PATH = 0o10000000;
const PATH_CREATE = 0o101;

function open(path: string, flags = 0): number {
  return syscall(257, AT_FDCWD, p(path), flags, 0o600);
}

/** Bytes are what counts: an O_PATH descriptor or a name gives nothing away. */
function read(path: string): number {
  const fd = open(path);
  if (fd < 0) return fd;
  const buffer = new Uint8Array(16);
  return syscall(0, fd, pointerTo(buffer), 16);
}

const files: readonly Native[] = [
  { area: 'files', name: "read another tenant's volume", call: ({ victimSecret }) => read(victimSecret) },
  { area: 'files', name: "read the node's keys", call: ({ dataDir }) => read(`${dataDir}/pki/sa.key`) },
  {
    area: 'files',
    name: 'read what the node believes of sandboxes',
    call: ({ dataDir }) => open(`${dataDir}/sandboxes`, 0o200000),
  },
  { area: 'files', name: 'list the data directory', call: ({ dataDir }) => open(dataDir, 0o200000) },
  { area: 'files', name: 'list the tenants', call: ({ dataDir }) => open(`${dataDir}/tenants`, 0o200000) },
  { area: 'files', name: 'read /etc/passwd', call: () => read('/etc/passwd') },
  { area: 'files', name: 'read /etc/passwd by /proc/self/root', call: () => read('/proc/self/root/etc/passwd') },
  {
    area: 'files',
    name: 'read /etc/passwd by ..',
    call: ({ own }) => read(`${own}/../../../../../../../../etc/passwd`),
  },
  {
    area: 'files',
    name: 'read /etc/passwd by a link of its own',
    call({ own }) {
      try {
        symlinkSync('/etc/passwd', `${own}/passwd`);
      } catch {
        // It is there from the other thread.
      }
      return read(`${own}/passwd`);
    },
  },
  { area: 'files', name: 'write to /tmp', call: () => open(`/tmp/wasmlet-escape-${process.pid}`, PATH_CREATE) },
  { area: 'files', name: 'write to /dev/shm', call: () => open(`/dev/shm/wasmlet-escape-${process.pid}`, PATH_CREATE) },
  { area: 'files', name: 'write to a program', call: () => open('/usr/bin/env', 1) },
  { area: 'files', name: 'write to its own sources', call: () => open(process.argv[1] ?? '', 1) },
  { area: 'files', name: "read the node's environment", call: ({ nodePid }) => read(`/proc/${nodePid}/environ`) },
  { area: 'files', name: "read the node's memory", call: ({ nodePid }) => open(`/proc/${nodePid}/mem`) },
  { area: 'files', name: "the machine's root by /proc/1/root", call: () => read('/proc/1/root/etc/hostname') },
  { area: 'files', name: 'read /sys', call: () => read('/sys/kernel/mm/transparent_hugepage/enabled') },
  { area: 'files', name: 'write /proc/sys', call: () => open('/proc/sys/kernel/core_pattern', 1) },
  { area: 'files', name: 'a disk by its device', call: () => open('/dev/vda') },
  { area: 'files', name: "the kernel's messages by /dev/kmsg", call: () => open('/dev/kmsg') },
  { area: 'files', name: 'the terminal', call: () => open('/dev/tty', 2) },
  {
    area: 'files',
    name: 'make a device in its own folder',
    call: ({ own }) => syscall(133, p(`${own}/disk`), 0o60600, 0xfe00),
  },
  {
    area: 'files',
    name: "hard link another tenant's file to itself",
    call: ({ own, victimSecret }) =>
      syscall(265, AT_FDCWD, p(victimSecret), AT_FDCWD, p(`${own}/taken-${Date.now()}`), 0),
  },
  {
    area: 'files',
    name: "rename another tenant's file to itself",
    call: ({ own, victimSecret }) =>
      syscall(316, AT_FDCWD, p(victimSecret), AT_FDCWD, p(`${own}/moved-${Date.now()}`), 0),
  },
  {
    area: 'files',
    name: 'rename a file of its own out',
    call({ own, dataDir }) {
      writeFileSync(`${own}/mine`, '');
      return syscall(316, AT_FDCWD, p(`${own}/mine`), AT_FDCWD, p(`${dataDir}/tenants/victim/planted`), 0);
    },
  },
  {
    area: 'files',
    name: 'execute a program of its own',
    call({ own }) {
      writeFileSync(`${own}/program`, '#!/bin/sh\n', { mode: 0o755 });
      return syscall(59, p(`${own}/program`), 0, 0);
    },
  },
  {
    area: 'files',
    name: "another tenant's file by an O_PATH descriptor",
    call({ victimSecret }) {
      const fd = open(victimSecret, O_PATH);
      return fd < 0 ? fd : read(`/proc/self/fd/${fd}`);
    },
  },
  { area: 'files', name: 'a file by its handle', call: () => syscall(304, AT_FDCWD, pointerTo(new Uint8Array(24)), 0) },
];

const processes: readonly Native[] = [
  { area: 'processes', name: 'fork', call: () => guardedFork(57) },
  { area: 'processes', name: 'vfork by clone', call: () => guardedFork(56) },
  { area: 'processes', name: 'clone3', call: () => syscall(435, pointerTo(new Uint8Array(88)), 3) },
  { area: 'processes', name: 'execve', call: () => syscall(59, p('/nonexistent'), 0, 0) },
  { area: 'processes', name: 'execveat', call: () => syscall(322, -1, p('/nonexistent'), 0, 0, 0) },
  { area: 'processes', name: 'ptrace the node', call: ({ nodePid }) => syscall(101, 0x4206, nodePid, 0, 0) },
  { area: 'processes', name: "read the node's memory by its pid", call: ({ nodePid }) => vmRead(nodePid) },
  { area: 'processes', name: 'signal the node', call: ({ nodePid }) => syscall(62, nodePid, 0) },
  { area: 'processes', name: 'signal another sandbox', call: ({ victimPid }) => syscall(62, victimPid, 0) },
  { area: 'processes', name: 'signal everybody', call: () => syscall(62, -1, 0) },
  { area: 'processes', name: 'signal its own group', call: () => syscall(62, 0, 0) },
  { area: 'processes', name: 'signal a thread of the node', call: ({ nodePid }) => syscall(234, nodePid, nodePid, 0) },
  { area: 'processes', name: 'signal the node by tkill', call: ({ nodePid }) => syscall(200, nodePid, 0) },
  { area: 'processes', name: 'queue a signal for the node', call: ({ nodePid }) => queued(129, [nodePid, 0]) },
  {
    area: 'processes',
    name: 'queue a signal for a thread of the node',
    call: ({ nodePid }) => queued(297, [nodePid, nodePid, 0]),
  },
  { area: 'processes', name: 'signal the node by a pidfd', call: ({ nodePid }) => pidfdSignal(nodePid) },
  { area: 'processes', name: "take the node's descriptors", call: ({ nodePid }) => pidfdGet(nodePid) },
  { area: 'processes', name: "change the node's limits", call: ({ nodePid }) => limits(nodePid) },
  { area: 'processes', name: "change the node's priority", call: ({ nodePid }) => syscall(141, 0, nodePid, 0) },
  { area: 'processes', name: "change the node's processors", call: ({ nodePid }) => affinity(nodePid) },
  {
    area: 'processes',
    name: "change the node's scheduler",
    call: ({ nodePid }) => syscall(144, nodePid, 0, pointerTo(new Uint8Array(4))),
  },
  {
    area: 'processes',
    name: "change the node's I/O priority",
    call: ({ nodePid }) => syscall(251, 1, nodePid, 0x4004),
  },
  { area: 'processes', name: "move the node's memory", call: ({ nodePid }) => syscall(256, nodePid, 0, 0, 0) },
  {
    area: 'processes',
    name: 'compare with the node',
    call: ({ nodePid }) => syscall(312, process.pid, nodePid, 0, 0, 0),
  },
  { area: 'processes', name: 'shared memory of System V', call: () => syscall(29, 0x77617368, 4096, 0o1600) },
  { area: 'processes', name: 'semaphores of System V', call: () => syscall(64, 0x77617368, 1, 0o1600) },
  { area: 'processes', name: 'message queues of System V', call: () => syscall(68, 0x77617368, 0o1600) },
  {
    area: 'processes',
    name: 'message queues of POSIX',
    call: () => syscall(240, p('wasmlet-escape'), 0o102, 0o600, 0),
  },
];

function guardedFork(number: number): number {
  const result = syscall(number, ...(number === 56 ? [17, 0, 0, 0, 0] : []));
  // A child must never live: it is a copy of a process with threads.
  if (result === 0) syscall(231, 0);
  return result;
}

function vmRead(pid: number): number {
  const buffer = new Uint8Array(8);
  const local = new BigUint64Array([pointerTo(buffer), 8n]);
  const remote = new BigUint64Array([0x400000n, 8n]);
  return syscall(310, pid, pointerTo(local), 1, pointerTo(remote), 1, 0);
}

function queued(number: number, args: readonly number[]): number {
  const info = new Int32Array(32);
  info[2] = -1;
  return syscall(number, ...args, pointerTo(info));
}

function pidfdSignal(pid: number): number {
  const fd = syscall(434, pid, 0);
  return fd < 0 ? fd : syscall(424, fd, 0, 0, 0);
}

function pidfdGet(pid: number): number {
  const fd = syscall(434, pid, 0);
  return fd < 0 ? fd : syscall(438, fd, 0, 0);
}

/** To what they are: nothing changes where it is let through. */
function limits(pid: number): number {
  const now = new BigUint64Array(2);
  const got = syscall(302, pid, 7, 0, pointerTo(now));
  return got < 0 ? got : syscall(302, pid, 7, pointerTo(now), 0);
}

function affinity(pid: number): number {
  const mask = new Uint8Array(128).fill(255);
  return syscall(203, pid, 128, pointerTo(mask));
}

const system: readonly Native[] = [
  { area: 'system', name: 'mount', call: () => syscall(165, 0, 0, 0, 0, 0) },
  { area: 'system', name: 'umount2', call: () => syscall(166, p('/nonexistent'), 0) },
  { area: 'system', name: 'a new mount tree (open_tree)', call: () => syscall(428, AT_FDCWD, p('/'), 1) },
  { area: 'system', name: 'fsopen', call: () => syscall(430, p('tmpfs'), 0) },
  { area: 'system', name: 'fspick', call: () => syscall(433, AT_FDCWD, p('/'), 0) },
  { area: 'system', name: 'mount_setattr', call: () => syscall(442, -1, p(''), 0x1000, 0, 0) },
  { area: 'system', name: 'pivot_root', call: () => syscall(155, p('/nonexistent'), p('/nonexistent')) },
  { area: 'system', name: 'chroot', call: () => syscall(161, p('/nonexistent')) },
  { area: 'system', name: 'unshare', call: () => syscall(272, 0x10000000) },
  { area: 'system', name: 'setns', call: () => syscall(308, -1, 0) },
  { area: 'system', name: 'bpf', call: () => syscall(321, 0, 0, 0) },
  { area: 'system', name: 'perf_event_open', call: () => syscall(298, 0, 0, -1, -1, 0) },
  { area: 'system', name: 'io_uring_setup', call: () => syscall(425, 1, 0) },
  { area: 'system', name: 'userfaultfd', call: () => syscall(323, 0) },
  { area: 'system', name: 'keyctl', call: () => syscall(250, 0, 0, 0) },
  { area: 'system', name: 'init_module', call: () => syscall(175, 0, 0, p('')) },
  { area: 'system', name: 'finit_module', call: () => syscall(313, -1, p(''), 0) },
  { area: 'system', name: 'kexec_load', call: () => syscall(246, 0, 17, 0, 0) },
  { area: 'system', name: 'reboot', call: () => syscall(169, 0, 0, 0, 0) },
  { area: 'system', name: 'the clock', call: () => syscall(227, 0, 0) },
  { area: 'system', name: 'clock_adjtime', call: () => syscall(305, 0, 0) },
  { area: 'system', name: 'the host name', call: () => syscall(170, 0, 100) },
  { area: 'system', name: 'swapon', call: () => syscall(167, p('/nonexistent'), 0) },
  { area: 'system', name: "the kernel's log", call: () => syscall(103, 10, 0, 0) },
  { area: 'system', name: 'ports of the machine (iopl)', call: () => syscall(172, 3) },
  { area: 'system', name: 'fanotify', call: () => syscall(300, 0x200, 0) },
  { area: 'system', name: 'personality', call: () => syscall(135, 0x0040000) },
  { area: 'system', name: 'acct', call: () => syscall(163, p('/nonexistent')) },
  { area: 'system', name: 'quotactl', call: () => syscall(179, 0x800007 << 8, 0, 0, 0) },
  { area: 'system', name: 'become root (setuid)', call: () => (process.getuid?.() === 0 ? -1 : syscall(105, 0)) },
];

export const NATIVE: readonly Native[] = [...files, ...processes, ...SOCKETS, ...system];

/** By each of these one process touches another: what a user of its own keeps from it, too, where seccomp lets it through. */
export const BETWEEN_PROCESSES: readonly Native[] = [
  ...files.filter(({ name }) => /the node's (environment|memory)/.test(name)),
  ...processes.filter(({ name }) => /the node|another sandbox/.test(name)),
];

export const STORM = 'threads without end';
/** The key of its result: how many threads it got. */
export const STORMED = `system: ${STORM}`;
/** More than any sandbox may have. */
export const STORM_THREADS = 6000;

/** Threads that wait, until there are no more: how many the process has then. They stay. */
function storm(): number {
  const ffi = process.getBuiltinModule('node:ffi');
  const libc = ffi.dlopen(null, {
    pthread_create: { arguments: ['pointer', 'pointer', 'pointer', 'pointer'], return: 'i32' },
  });
  const pause = libc.lib.getSymbol('pause');
  const id = new BigUint64Array(1);
  const create = libc.functions.pthread_create as unknown as (...args: bigint[]) => number;
  for (let made = 0; made < STORM_THREADS && create(pointerTo(id), 0n, pause, 0n) === 0; made++);
  return readdirSync('/proc/self/task').length;
}

function walled(): boolean {
  return /^Seccomp_filters:\t([2-9])/m.test(readFileSync('/proc/self/status', 'utf8'));
}

function probe(aim: Aim): void {
  const status = readFileSync('/proc/self/status', 'utf8');
  const results: Record<string, number> = {};
  for (const { area, name, call } of NATIVE) results[`${area}: ${name}`] = call(aim);
  // Last of all, and not where nothing bounds them: the machine would feel it.
  if (isMainThread && process.argv.at(-1)?.includes('"cgroup":true')) results[STORMED] = storm();
  report(aim, { thread: isMainThread ? 'main' : 'loop', walled: walled(), status, results });
}

function report(aim: Aim, line: object): void {
  const text = `\nPROBE ${JSON.stringify(line)}\n`;
  if (typeof aim.report === 'string') writeFileSync(aim.report, text);
  else writeSync(aim.report, text);
}

const about = new URL(import.meta.url).searchParams.get('about');
if (about !== null) {
  const aim = JSON.parse(Buffer.from(about, 'base64url').toString()) as Aim;
  let waits = 0;
  const timer = setInterval(() => {
    if (!walled() && ++waits < 50) return;
    clearInterval(timer);
    try {
      probe(aim);
    } catch (error) {
      report(aim, { error: String((error as Error).stack) });
    }
  }, 100);
}
