/** A workload as its sandbox is told of it: files and sockets go ahead as descriptors, each under a token that the words then name. */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { sendDescriptor } from '#kit/os';
import { type WorkloadSpec, workloadKey } from '../../contract.ts';
import type { Executable } from '../../module/admission.ts';
import { runtimeError } from '../errors.ts';
import type { WireSpec } from '../protocol/messages.ts';

export interface WireOptions {
  readonly executable: Executable;
  /** Of the protocol, as agreed. */
  readonly version: number;
  /** The socket that descriptors travel by; undefined without node:ffi. */
  readonly packets: number | undefined;
}

/** Version of the protocol. */
const CLASSES_SINCE = 2;

/** A sandbox of a release before classes gets the module as it was pushed, and knows no more to do with it. */
export function wireSpec(spec: WorkloadSpec, { executable, version, packets }: WireOptions): WireSpec {
  const { id: _, placement: __, listeners, ...given } = spec;
  const { class: where, optimize } = executable.execution;
  const knowsClasses = version >= CLASSES_SINCE;
  const rest = { ...given, ...(knowsClasses && { execution: { class: where, optimize } }) };
  const module = { ...spec.module, path: knowsClasses ? executable.path : spec.module.path };
  const key = workloadKey(spec.id);
  if (packets === undefined) {
    if (listeners.length > 0) throw runtimeError('RUNTIME_NO_WALLS', `Cannot create '${key}': listeners need node:ffi`);
    return { ...rest, key, module, listeners: [] };
  }
  const fd = openSync(module.path, 'r');
  try {
    return {
      ...rest,
      key,
      module: { ...module, token: give(packets, fd) },
      listeners: listeners.map(({ fd: socket, ...listener }) => ({ ...listener, token: give(packets, socket) })),
    };
  } finally {
    closeSync(fd);
  }
}

/** Sends a duplicate; the token says which. */
function give(packets: number, descriptor: number): string {
  const token = randomBytes(16);
  sendDescriptor(packets, { token, descriptor });
  return token.toString('hex');
}
