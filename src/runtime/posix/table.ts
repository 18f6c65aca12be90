/**
 * The functions of the POSIX extension: the one list, from which docs/posix.md is written and against which tests hold the C header,
 * what admission knows, and what the host provides. Why it is as it is: docs/decisions/0012-posix.md.
 *
 * All answer an errno of preview 1 as an i32. Pointers and lengths are i32; what is written is little endian.
 */
import type { ErrnoName } from '../wasi/core/errno.ts';

/** The import module; a change of what stands is the next number. */
export const POSIX_MODULE = 'wasmlet_posix_0';

/** The word in the annotation `wasmlet.dev/capabilities`. */
export const POSIX_CAPABILITY = 'posix';

export interface PosixFunction {
  readonly name: string;
  readonly parameters: readonly (readonly [name: string, type: 'i32' | 'i64'])[];
  readonly does: string;
  /** Besides EFAULT for pointers. */
  readonly errors: readonly ErrnoName[];
}

const path = [
  ['fd', 'i32'],
  ['lookup', 'i32'],
  ['path', 'i32'],
  ['path_len', 'i32'],
] as const;
const fd = ['fd', 'i32'] as const;
const mode = ['mode', 'i32'] as const;
const owner = [
  ['uid', 'i32'],
  ['gid', 'i32'],
] as const;
const result = ['result', 'i32'] as const;

const PATH_ERRORS = ['BADF', 'NOTDIR', 'NOENT', 'PERM', 'INVAL', 'ILSEQ', 'NAMETOOLONG', 'LOOP', 'ACCES'] as const;

export const POSIX_FUNCTIONS: readonly PosixFunction[] = [
  {
    name: 'ids_get',
    parameters: [result],
    does: 'Writes four u32: user, effective user, group, effective group.',
    errors: [],
  },
  {
    name: 'groups_get',
    parameters: [['groups', 'i32'], ['count', 'i32'], result],
    does: 'Writes the supplementary groups as u32 and their number to `result`. With `count` 0 only the number.',
    errors: ['INVAL'],
  },
  {
    name: 'process_get',
    parameters: [result],
    does: 'Writes four u32: process, parent, process group, session: 1, 0, 1, 1.',
    errors: [],
  },
  {
    name: 'system_name_get',
    parameters: [['buffer', 'i32'], ['buffer_len', 'i32'], result],
    does: 'Writes the five strings of `uname`, each ended by NUL: system, host name, release, version, machine; their length to `result`.',
    errors: ['RANGE'],
  },
  {
    name: 'system_info_get',
    parameters: [result],
    does: 'Writes u64 nanoseconds since the start, u64 bytes of memory that may be had (0: no limit), u64 bytes in use, u32 processors, u32 thousandths of a processor that may be used (0: no limit), u32 descriptors that may be open, u32 that are open.',
    errors: [],
  },
  {
    name: 'umask_set',
    parameters: [['mask', 'i32'], result],
    does: 'Sets the mask for modes of what is created; writes the former, u32.',
    errors: [],
  },
  {
    name: 'fd_status_get',
    parameters: [fd, result],
    does: 'Writes three u32: mode with the type bits of `st_mode`, user, group.',
    errors: ['BADF'],
  },
  {
    name: 'path_status_get',
    parameters: [...path, result],
    does: 'As `fd_status_get`, of a path.',
    errors: PATH_ERRORS,
  },
  {
    name: 'fd_mode_set',
    parameters: [fd, mode],
    does: 'Sets the twelve bits of the mode.',
    errors: ['BADF', 'PERM', 'ROFS', 'NOTSUP', 'INVAL'],
  },
  {
    name: 'path_mode_set',
    parameters: [...path, mode],
    does: 'As `fd_mode_set`, of a path.',
    errors: [...PATH_ERRORS, 'ROFS', 'NOTSUP'],
  },
  {
    name: 'fd_owner_set',
    parameters: [fd, ...owner],
    does: 'Sets user and group; -1 leaves one as it is.',
    errors: ['BADF', 'PERM', 'ROFS', 'NOTSUP'],
  },
  {
    name: 'path_owner_set',
    parameters: [...path, ...owner],
    does: 'As `fd_owner_set`, of a path.',
    errors: [...PATH_ERRORS, 'ROFS', 'NOTSUP'],
  },
  {
    name: 'path_access',
    parameters: [...path, ['want', 'i32']],
    does: 'Whether the view allows reading (4), writing (2), executing (1); 0 asks whether it is there.',
    errors: [...PATH_ERRORS, 'ROFS'],
  },
  {
    name: 'path_open_mode',
    parameters: [...path, ['oflags', 'i32'], ['rights', 'i64'], ['fdflags', 'i32'], mode, result],
    does: 'As `path_open` of preview 1, with the mode of a file that it creates, less the umask.',
    errors: [...PATH_ERRORS, 'EXIST', 'ISDIR', 'MFILE', 'ROFS'],
  },
  {
    name: 'path_create_directory_mode',
    parameters: [fd, ['path', 'i32'], ['path_len', 'i32'], mode],
    does: 'As `path_create_directory` of preview 1, with the mode, less the umask.',
    errors: [...PATH_ERRORS, 'EXIST', 'ROFS'],
  },
  {
    name: 'signal_action',
    parameters: [['signal', 'i32'], ['action', 'i32'], result],
    does: 'Declares what a signal (1 to 31) is to do: 0 the default, 1 nothing, 2 to be taken up by the guest. Writes the former, u32.',
    errors: ['INVAL'],
  },
  {
    name: 'signal_mask',
    parameters: [['how', 'i32'], ['set', 'i64'], result],
    does: 'Blocks (0), unblocks (1) or sets (2) signals: bit n - 1 is signal n. Writes the former mask, u64.',
    errors: ['INVAL'],
  },
  { name: 'signal_pending', parameters: [result], does: 'Writes the signals that are pending, u64.', errors: [] },
  {
    name: 'signal_take',
    parameters: [result],
    does: 'Takes the lowest pending signal that is not blocked: writes its number, u32; 0 where there is none.',
    errors: [],
  },
  {
    name: 'signal_raise',
    parameters: [['signal', 'i32']],
    does: 'Sends a signal to oneself; 0 only checks. One whose action is the default may end the guest.',
    errors: ['INVAL'],
  },
  {
    name: 'signal_wait',
    parameters: [['set', 'i64'], ['timeout', 'i64'], result],
    does: 'Waits for a signal of the set, takes it, and writes its number, u32. The timeout is in nanoseconds; -1 waits without end.',
    errors: ['AGAIN', 'INTR', 'INVAL'],
  },
];

export const POSIX_NAMES: readonly string[] = POSIX_FUNCTIONS.map(({ name }) => name);
