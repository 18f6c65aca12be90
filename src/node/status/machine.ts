/**
 * What the machine is, read from the kernel: sizes for capacity, free resources for conditions, identifiers for nodeInfo.
 * A fact that cannot be read is empty or zero, never an error: a container or an old kernel lacks some.
 */
import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { availableParallelism, release } from 'node:os';

/** What does not change while the machine runs. */
export interface MachineInfo {
  readonly machineID: string;
  readonly systemUUID: string;
  readonly bootID: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly cores: number;
  readonly memoryBytes: number;
}

/** What changes. Bytes. */
export interface MachineLoad {
  readonly memoryAvailable: number;
  readonly diskTotal: number;
  readonly diskAvailable: number;
  readonly inodesTotal: number;
  readonly inodesFree: number;
  readonly pidsMax: number;
  readonly pids: number;
}

export function readMachineInfo(): MachineInfo {
  const machineID = text('/etc/machine-id') || text('/var/lib/dbus/machine-id');
  return {
    machineID,
    systemUUID: text('/sys/class/dmi/id/product_uuid') || machineID,
    bootID: text('/proc/sys/kernel/random/boot_id'),
    kernelVersion: release(),
    osImage: osImageOf(text('/etc/os-release') || text('/usr/lib/os-release')),
    cores: availableParallelism(),
    memoryBytes: memoryOf(text('/proc/meminfo'), 'MemTotal'),
  };
}

export async function readMachineLoad(dataDir: string): Promise<MachineLoad> {
  const disk = await statfs(dataDir).catch(() => undefined);
  return {
    memoryAvailable: memoryOf(text('/proc/meminfo'), 'MemAvailable'),
    diskTotal: (disk?.blocks ?? 0) * (disk?.bsize ?? 0),
    diskAvailable: (disk?.bavail ?? 0) * (disk?.bsize ?? 0),
    inodesTotal: disk?.files ?? 0,
    inodesFree: disk?.ffree ?? 0,
    pidsMax: Number(text('/proc/sys/kernel/pid_max')) || 0,
    pids: Number(/\/(\d+)/.exec(text('/proc/loadavg'))?.[1] ?? 0),
  };
}

/** `PRETTY_NAME` of os-release. */
export function osImageOf(osRelease: string): string {
  return /^PRETTY_NAME=["']?([^"'\n]*)/m.exec(osRelease)?.[1] ?? 'Linux';
}

/** A line of /proc/meminfo in bytes. */
export function memoryOf(meminfo: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo)?.[1] ?? 0) * 1024;
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
