/** The door of `kit/os`: Linux, behind one door. */

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
export { cString, ffiAvailable, pointerTo, type Result, SYS, syscall } from './ffi.ts';
export {
  advise,
  type DirectoryEntry,
  type FileStatus,
  linkName,
  makeDirectory,
  makeLink,
  type Name,
  type NewTime,
  OPEN,
  openBeneath,
  readCached,
  readEntries,
  readLink,
  removeName,
  renameName,
  reserve,
  setOpenFlags,
  setTimes,
  statusOf,
  statusOfName,
} from './files.ts';
export { type Access, type Grant, landlockAbi, type Restriction, restrictSelf } from './landlock.ts';
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
