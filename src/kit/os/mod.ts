/** The door of `kit/os`: Linux, behind one door. */

export { readAttribute, writeAttribute } from './attributes.ts';
export {
  CROSSES,
  existsAt,
  LEAVES,
  linkAt,
  makeDirectoryAt,
  makeLinkAt,
  openAndLook,
  openAt,
  type Path,
  type PathOfName,
  readLinkAt,
  removeAt,
  renameAt,
  setTimesAt,
  statusAt,
  type TimesAt,
} from './beneath.ts';
export { type CgroupPlaces, type CgroupTree, findCgroups, type GroupLimits } from './cgroup.ts';
export { type Become, becomeUser, CAPABILITY, mayBecome, type UserRange } from './credentials.ts';
export { endWithin } from './deadline.ts';
export {
  acceptPackets,
  connectPackets,
  duplicate,
  keepOverExecve,
  listenPackets,
  listenStream,
  type Packet,
  type PeerCredentials,
  packetPair,
  peerCredentials,
  receiveDescriptor,
  sendDescriptor,
  shortUnixPath,
  TOKEN_BYTES,
} from './descriptors.ts';
export { errnoName, type SystemError, systemError } from './errno.ts';
export { addressOf, cString, ffiAvailable, pointerTo, type Result, SYS, syscall, threadCpuClock, word } from './ffi.ts';
export {
  advise,
  MOST_VECTORS,
  putVector,
  readAt,
  readCached,
  readVectors,
  readVectorsNow,
  reserve,
  setOpenFlags,
  synchronise,
  truncate,
  writeAt,
  writeVectorsNow,
} from './file-data.ts';
export {
  closeDescriptor,
  type DirectoryEntry,
  type FileStatus,
  linkName,
  makeDirectory,
  makeLink,
  modeOf,
  type Name,
  type NewTime,
  OPEN,
  openBeneath,
  openCached,
  readEntries,
  readLink,
  removeName,
  renameName,
  setTimes,
  statusOf,
  statusOfName,
} from './files.ts';
export { type Access, type Grant, landlockAbi, type Restriction, restrictSelf } from './landlock.ts';
export { type Mount, mountOf, mountPointOf, releaseMount } from './mounts.ts';
export {
  type FileLock,
  hasNoNewPrivs,
  lockFile,
  openPidfd,
  setDumpable,
  setNoNewPrivs,
  signalProcess,
  startTimeOf,
  threadId,
  threadTicks,
} from './process.ts';
export { refuseRings, refuseSystemCalls } from './seccomp.ts';
export { boundTo, listenTcp, probeTcp, type TcpAddress } from './sockets.ts';
export { type NewFile, OpenFolder, Tree } from './tree.ts';
