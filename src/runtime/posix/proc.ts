/**
 * /proc and /sys of one guest, in the formats of Linux (Documentation/filesystems/proc.rst, admin-guide/cgroup-v2.rst): made when they are
 * read, from what the guest may know anyway. They describe a machine with one process, and nothing of the real one.
 */

import { FILETYPE } from '../wasi/core/descriptor.ts';
import { Directory } from '../wasi/core/directory.ts';
import type { SequentialDescriptor } from '../wasi/core/sequential.ts';
import type { DescriptorTable } from '../wasi/core/table.ts';
import type { PosixFacts, PosixOptions } from './contract.ts';
import type { Signals } from './signals.ts';
import { type DirectoryNode, directory, file, type Node } from './virtual.ts';

export interface ProcWorld {
  readonly options: PosixOptions;
  readonly args: readonly Uint8Array[];
  readonly env: readonly Uint8Array[];
  readonly table: DescriptorTable;
  readonly signals: Signals;
  readonly mask: () => number;
  readonly facts: () => PosixFacts;
  readonly descriptorLimit: number;
  /** Nanoseconds since the guest began. */
  readonly uptime: () => bigint;
  /** Seconds since the epoch at which it began. */
  readonly startedAt: number;
}

/** What 32-bit addresses reach. */
const WHOLE_MEMORY = 2 ** 32;
const PAGE = 4096;
const TICKS = 100;
export const SYSTEM = { name: 'Linux', release: '6.0.0-wasmlet', version: '#1 wasmlet', machine: 'wasm32' } as const;

export function processorsOf({ cpuMillis }: PosixOptions): number {
  return cpuMillis === undefined ? 1 : Math.min(1024, Math.max(1, Math.ceil(cpuMillis / 1000)));
}

export function procTree(world: ProcWorld): DirectoryNode {
  const self = selfTree(world);
  return directory({
    self,
    1: self,
    cpuinfo: file(() => cpuinfo(world)),
    loadavg: file(() => `0.00 0.00 0.00 ${world.facts().threads}/${world.facts().threads} 1\n`),
    meminfo: file(() => meminfo(world)),
    mounts: file(() => mounts(world)),
    stat: file(() => systemStat(world)),
    uptime: file(() => `${seconds(world.uptime())} ${seconds(world.uptime())}\n`),
    version: file(() => `${SYSTEM.name} version ${SYSTEM.release} (wasmlet) ${SYSTEM.version}\n`),
    sys: directory({
      kernel: directory({
        hostname: line(() => world.options.hostname),
        ostype: line(() => SYSTEM.name),
        osrelease: line(() => SYSTEM.release),
        pid_max: line(() => '32768'),
        ngroups_max: line(() => '65536'),
      }),
    }),
  });
}

export function sysTree(world: ProcWorld): DirectoryNode {
  const { options } = world;
  const online = `0-${processorsOf(options) - 1}`.replace(/^0-0$/, '0');
  const quota = options.cpuMillis === undefined ? 'max' : String(options.cpuMillis * 100);
  const used = () => Math.round(world.facts().cpuNanos / 1000);
  return directory({
    fs: directory({
      cgroup: directory({
        'cgroup.controllers': line(() => 'cpu memory pids'),
        'cpu.max': line(() => `${quota} 100000`),
        'cpu.stat': line(() => `usage_usec ${used()}\nuser_usec ${used()}\nsystem_usec 0`),
        'memory.current': line(() => String(world.facts().memoryBytes)),
        'memory.max': line(() => String(world.facts().memoryLimit ?? 'max')),
        'pids.current': line(() => String(world.facts().threads)),
        'pids.max': line(() => 'max'),
      }),
    }),
    devices: directory({
      system: directory({
        cpu: directory({ online: line(() => online), possible: line(() => online), present: line(() => online) }),
      }),
    }),
  });
}

function line(read: () => string): Node {
  return file(() => `${read()}\n`);
}

function selfTree(world: ProcWorld): DirectoryNode {
  const { args, env } = world;
  return directory({
    cgroup: line(() => '0::/'),
    cmdline: file(() => textOf(args)),
    comm: line(() => nameOf(world)),
    environ: file(() => textOf(env)),
    fd: { kind: 'directory', entries: () => descriptorsOf(world.table) },
    limits: file(() => limits(world)),
    mounts: file(() => mounts(world)),
    stat: file(() => processStat(world)),
    statm: file(() => {
      const pages = Math.ceil(world.facts().memoryBytes / PAGE);
      return `${pages} ${pages} 0 0 0 ${pages} 0\n`;
    }),
    status: file(() => status(world)),
  });
}

/** Each ends with NUL already. */
function textOf(strings: readonly Uint8Array[]): string {
  return Buffer.concat(strings).toString('utf8');
}

/** The program's file name; without what would break the formats that it stands in. */
function nameOf({ args }: ProcWorld): string {
  const name = textOf(args.slice(0, 1)).split('\0')[0]?.split('/').at(-1) ?? '';
  return name.replace(/[\u0000-\u001f()\\]/g, '?').slice(0, 15) || 'guest';
}

function descriptorsOf(table: DescriptorTable): ReadonlyMap<string, Node> {
  const links: Record<number, string> = { [FILETYPE.SOCKET_STREAM]: 'socket', [FILETYPE.REGULAR_FILE]: 'file' };
  const entries = new Map<string, Node>();
  for (const [fd, descriptor] of table.entries()) {
    const preopen = descriptor instanceof Directory ? descriptor.preopen : undefined;
    const kind = links[(descriptor as SequentialDescriptor).filetype] ?? 'pipe';
    entries.set(String(fd), { kind: 'link', target: preopen ?? `${kind}:[${fd + 1}]` });
  }
  return entries;
}

function seconds(nanos: bigint): string {
  return (Number(nanos / 10_000_000n) / 100).toFixed(2);
}

function ticks(nanos: number): number {
  return Math.floor((nanos / 1e9) * TICKS);
}

function kilobytes(bytes: number): string {
  return `${String(Math.floor(bytes / 1024)).padStart(8)} kB`;
}

function meminfo({ facts }: ProcWorld): string {
  const { memoryBytes, memoryLimit = WHOLE_MEMORY } = facts();
  const free = Math.max(0, memoryLimit - memoryBytes);
  const rows: readonly (readonly [string, number])[] = [
    ['MemTotal', memoryLimit],
    ['MemFree', free],
    ['MemAvailable', free],
    ['Buffers', 0],
    ['Cached', 0],
    ['SwapTotal', 0],
    ['SwapFree', 0],
  ];
  return rows.map(([name, bytes]) => `${`${name}:`.padEnd(16)}${kilobytes(bytes)}\n`).join('');
}

function cpuinfo({ options }: ProcWorld): string {
  const one = (at: number) =>
    `processor\t: ${at}\nvendor_id\t: wasmlet\nmodel name\t: WebAssembly\ncpu MHz\t\t: 1000.000\nsiblings\t: ${processorsOf(options)}\ncpu cores\t: ${processorsOf(options)}\nflags\t\t:\n\n`;
  return Array.from({ length: processorsOf(options) }, (_, at) => one(at)).join('');
}

function systemStat(world: ProcWorld): string {
  const user = ticks(world.facts().cpuNanos);
  const processors = processorsOf(world.options);
  const whole = ticks(Number(world.uptime())) * processors;
  const row = (name: string, share: number) =>
    `${name} ${Math.floor(user / share)} 0 0 ${Math.max(0, Math.floor((whole - user) / share))} 0 0 0 0 0 0\n`;
  const each = Array.from({ length: processors }, (_, at) => row(`cpu${at}`, processors)).join('');
  return `${row('cpu ', 1)}${each}intr 0\nctxt 0\nbtime ${world.startedAt}\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n`;
}

function mounts({ table }: ProcWorld): string {
  const rows: string[] = [];
  for (const [, descriptor] of table.entries()) {
    if (!(descriptor instanceof Directory) || descriptor.preopen === undefined) continue;
    const { preopen } = descriptor;
    if (preopen === '.') continue;
    const type = preopen === '/proc' ? 'proc' : preopen === '/sys' ? 'sysfs' : 'wasmlet';
    // As Linux writes them: what would end the word, or the line, in octal.
    const path = preopen.replace(/[\s\\]/g, (letter) => `\\${letter.charCodeAt(0).toString(8).padStart(3, '0')}`);
    rows.push(`${type} ${path} ${type} ${descriptor.readOnly ? 'ro' : 'rw'},nosuid,nodev 0 0\n`);
  }
  return rows.join('');
}

function status(world: ProcWorld): string {
  const { uid, gid, groups } = world.options;
  const { memoryBytes, threads } = world.facts();
  const { pending, blocked, ignored, caught } = world.signals.masks();
  const mask = (bits: bigint) => bits.toString(16).padStart(16, '0');
  const rows: readonly (readonly [string, string])[] = [
    ['Name', nameOf(world)],
    ['Umask', world.mask().toString(8).padStart(4, '0')],
    ['State', 'R (running)'],
    ['Tgid', '1'],
    ['Pid', '1'],
    ['PPid', '0'],
    ['Uid', Array(4).fill(uid).join('\t')],
    ['Gid', Array(4).fill(gid).join('\t')],
    ['FDSize', String(world.descriptorLimit)],
    ['Groups', groups.join(' ')],
    ['VmPeak', kilobytes(memoryBytes)],
    ['VmSize', kilobytes(memoryBytes)],
    ['VmRSS', kilobytes(memoryBytes)],
    ['Threads', String(threads)],
    ['SigPnd', mask(pending)],
    ['ShdPnd', mask(0n)],
    ['SigBlk', mask(blocked)],
    ['SigIgn', mask(ignored)],
    ['SigCgt', mask(caught)],
    ['NoNewPrivs', '1'],
  ];
  return rows.map(([name, value]) => `${name}:\t${value}\n`).join('');
}

/** Fields of `proc_pid_stat(5)`, in order; those that have no meaning here are 0. */
function processStat(world: ProcWorld): string {
  const { cpuNanos, memoryBytes, threads } = world.facts();
  const head = ['1', `(${nameOf(world)})`, 'R', '0', '1', '1', '0', '-1', '0', '0', '0', '0', '0'];
  const times = [String(ticks(cpuNanos)), '0', '0', '0', '20', '0', String(threads), '0', '0'];
  const memory = [String(memoryBytes), String(Math.ceil(memoryBytes / PAGE)), '18446744073709551615'];
  return `${[...head, ...times, ...memory, ...Array(27).fill('0')].join(' ')}\n`;
}

function limits({ facts, descriptorLimit }: ProcWorld): string {
  const { memoryLimit } = facts();
  const row = (name: string, value: string, unit: string) =>
    `${name.padEnd(25)} ${value.padEnd(20)} ${value.padEnd(20)} ${unit}\n`;
  const memory = memoryLimit === undefined ? 'unlimited' : String(memoryLimit);
  return [
    `${'Limit'.padEnd(25)} ${'Soft Limit'.padEnd(20)} ${'Hard Limit'.padEnd(20)} Units\n`,
    row('Max address space', memory, 'bytes'),
    row('Max open files', String(descriptorLimit), 'files'),
    row('Max processes', '1', 'processes'),
  ].join('');
}
