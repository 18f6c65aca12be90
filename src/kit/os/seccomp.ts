/**
 * Seccomp: system calls that this process gives up for good, on all its threads. A list of what is refused, not of what is allowed: Node
 * and V8 are too large for the latter, and what matters is what a process needs to get out: new programs, other processes, new sockets.
 * Refused calls answer EPERM.
 *
 * In two steps, because of what libuv makes when it boots: a ring (io_uring) would do behind this filter what it refuses, and libuv ends the
 * process when one that it has made stops to answer. So a launcher refuses `rings` for itself and executes the program, which then finds
 * none and polls as before; the program refuses the rest, execve too. Source: Linux `include/uapi/linux/{seccomp,filter,audit}.h`, seccomp(2); numbers as in `ffi.ts`.
 */
import { checked } from './errno.ts';
import { pointerTo, syscall } from './ffi.ts';

const X64 = process.arch === 'x64';
const SECCOMP_SET_MODE_FILTER = 1;
const FILTER_FLAG_TSYNC = 1;
const AUDIT_ARCH = X64 ? 0xc000003e : 0xc00000b7;
/** x32: the same calls under numbers with this bit. */
const X32_BIT = 0x40000000;
const SOCK_TYPE_MASK = 0xf;
const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;
const CLONE_THREAD = 0x10000;
const EPERM = 1;
const ENOSYS = 38;
const ESRCH = 3;

type Numbers = Readonly<Record<string, readonly [number, number]>>;

const RINGS: Numbers = { io_uring_setup: [425, 425], io_uring_enter: [426, 426], io_uring_register: [427, 427] };

/** x86-64's number, then arm64's; -1 where there is none. */
const REFUSED: Numbers = {
  ...RINGS,
  // new programs and processes
  execve: [59, 221],
  execveat: [322, 281],
  fork: [57, -1],
  vfork: [58, -1],
  // other processes
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  pidfd_getfd: [438, 438],
  pidfd_send_signal: [424, 424],
  kcmp: [312, 272],
  tkill: [200, 130],
  rt_sigqueueinfo: [129, 138],
  rt_tgsigqueueinfo: [297, 240],
  process_madvise: [440, 440],
  process_mrelease: [448, 448],
  migrate_pages: [256, 238],
  move_pages: [279, 239],
  // the processor's time, of others and (as root) more than its share
  setpriority: [141, 140],
  sched_setaffinity: [203, 122],
  sched_setparam: [142, 118],
  sched_setscheduler: [144, 119],
  sched_setattr: [314, 274],
  ioprio_set: [251, 30],
  // what processes of one user share by a number or a name, without a file
  shmget: [29, 194],
  shmat: [30, 196],
  shmctl: [31, 195],
  semget: [64, 190],
  semop: [65, 193],
  semtimedop: [220, 192],
  semctl: [66, 191],
  msgget: [68, 186],
  msgsnd: [69, 189],
  msgrcv: [70, 188],
  msgctl: [71, 187],
  mq_open: [240, 180],
  mq_unlink: [241, 181],
  // sockets other than what was inherited or passed, or came in by accept
  socket: [41, 198],
  bind: [49, 200],
  connect: [42, 203],
  // the system
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  unshare: [272, 97],
  setns: [308, 268],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  open_tree_attr: [467, 467],
  swapon: [167, 224],
  swapoff: [168, 225],
  reboot: [169, 142],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  adjtimex: [159, 171],
  clock_adjtime: [305, 266],
  acct: [163, 89],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  vhangup: [153, 58],
  iopl: [172, -1],
  ioperm: [173, -1],
  modify_ldt: [154, -1],
  syslog: [103, 116],
  // what Landlock does not look at (truncate: before its ABI 3), by a path of the whole machine; by open descriptors they go on
  truncate: [76, 45],
  chmod: [90, -1],
  fchmodat: [268, 53],
  fchmodat2: [452, 452],
  chown: [92, -1],
  lchown: [94, -1],
  fchownat: [260, 54],
  setxattr: [188, 5],
  lsetxattr: [189, 6],
  setxattrat: [463, 463],
  removexattr: [197, 14],
  lremovexattr: [198, 15],
  removexattrat: [466, 466],
  utime: [132, -1],
  utimes: [235, -1],
  futimesat: [261, -1],
  inotify_init: [253, -1],
  inotify_init1: [294, 26],
  inotify_add_watch: [254, 27],
  // wide surfaces of the kernel that nothing here uses
  bpf: [321, 280],
  perf_event_open: [298, 241],
  fanotify_init: [300, 262],
  userfaultfd: [323, 282],
  keyctl: [250, 219],
  add_key: [248, 217],
  request_key: [249, 218],
  open_by_handle_at: [304, 265],
  name_to_handle_at: [303, 264],
  personality: [135, 92],
  mknod: [133, -1],
  mknodat: [259, 33],
};

const CALL = {
  seccomp: X64 ? 317 : 277,
  socketpair: X64 ? 53 : 199,
  prlimit64: X64 ? 302 : 261,
  clone: X64 ? 56 : 220,
  clone3: 435,
  kill: X64 ? 62 : 129,
  tgkill: X64 ? 234 : 131,
} as const;

/** One classic BPF instruction: code, jump when true, jump when false, constant. */
type Instruction = readonly [code: number, yes: number, no: number, k: number];

const load = (offset: number): Instruction => [0x20, 0, 0, offset];
const ret = (action: number): Instruction => [0x06, 0, 0, action];
const isEqual = (k: number, yes: number, no: number): Instruction => [0x15, yes, no, k];
const isAtLeast = (k: number, yes: number, no: number): Instruction => [0x35, yes, no, k];
const and = (k: number): Instruction => [0x54, 0, 0, k];
const hasBits = (k: number, yes: number, no: number): Instruction => [0x45, yes, no, k];

const ALLOW = ret(0x7fff0000);
const refuse = (errno: number) => ret(0x00050000 | errno);
const KILL = ret(0x80000000);
/** Offsets in struct seccomp_data: number, architecture, low words of the arguments. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const argument = (index: number) => 16 + 8 * index;

/** When the number is `number`: the check that follows decides; else it is skipped. */
function when(number: number, check: readonly Instruction[]): Instruction[] {
  return [isEqual(number, 0, check.length), ...check];
}

function refuseAll(calls: Numbers): Instruction[] {
  const numbers = Object.values(calls).map(([x64, arm64]) => (X64 ? x64 : arm64));
  return numbers.filter((number) => number >= 0).flatMap((number) => when(number, [refuse(EPERM)]));
}

const START: readonly Instruction[] = [
  load(ARCHITECTURE),
  isEqual(AUDIT_ARCH, 1, 0),
  KILL,
  load(NUMBER),
  isAtLeast(X32_BIT, 0, 1),
  KILL,
];

function wholeProgram(ownPid: number): Instruction[] {
  return [
    ...START,
    ...refuseAll(REFUSED),
    // glibc falls back to clone, whose flags can be looked at.
    ...when(CALL.clone3, [refuse(ENOSYS)]),
    ...when(CALL.clone, [load(argument(0)), hasBits(CLONE_THREAD, 1, 0), refuse(EPERM), ALLOW]),
    // Others are datagram sockets, which send to any address, also when they have a peer.
    ...when(CALL.socketpair, [
      ...[load(argument(1)), and(SOCK_TYPE_MASK)],
      ...[isEqual(SOCK_STREAM, 2, 0), isEqual(SOCK_SEQPACKET, 1, 0), refuse(EPERM), ALLOW],
    ]),
    ...when(CALL.prlimit64, [load(argument(0)), isEqual(0, 1, 0), refuse(EPERM), ALLOW]),
    ...when(CALL.kill, [load(argument(0)), isEqual(ownPid, 1, 0), refuse(EPERM), ALLOW]),
    ...when(CALL.tgkill, [load(argument(0)), isEqual(ownPid, 1, 0), refuse(EPERM), ALLOW]),
    ALLOW,
  ];
}

/** The calls that are refused whatever their arguments, by number on this machine; for the test that makes each of them. */
export function refusedCalls(): ReadonlyMap<string, number> {
  const numbers = Object.entries(REFUSED).map(([name, [x64, arm64]]) => [name, X64 ? x64 : arm64] as const);
  return new Map(numbers.filter(([, number]) => number >= 0));
}

/** Refuses rings to this thread and what it executes. Needs no_new_privs. */
export function refuseRings(): void {
  install([...START, ...refuseAll(RINGS), ALLOW], 0);
}

/** Refuses everything in the table to every thread of this process, for good. Needs no_new_privs, and `refuseRings` before it was executed. */
export function refuseSystemCalls(): void {
  install(wholeProgram(process.pid), FILTER_FLAG_TSYNC);
}

/** Throws a `SystemError` where the kernel has no seccomp filters. */
function install(instructions: readonly Instruction[], flags: number): void {
  const bytes = new Uint8Array(instructions.length * 8);
  const view = new DataView(bytes.buffer);
  instructions.forEach(([code, yes, no, k], at) => {
    view.setUint16(at * 8, code, true);
    view.setUint8(at * 8 + 2, yes);
    view.setUint8(at * 8 + 3, no);
    view.setUint32(at * 8 + 4, k, true);
  });
  // struct sock_fprog: u16 length, padded; pointer.
  const filter = new BigUint64Array([BigInt(instructions.length), pointerTo(bytes)]);
  const result = syscall(CALL.seccomp, SECCOMP_SET_MODE_FILTER, flags, pointerTo(filter));
  // A positive result is the thread that could not follow.
  checked(result > 0 ? -ESRCH : result, 'seccomp');
}
