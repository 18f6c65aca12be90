/** The door of `kit/os`: Linux, behind one door. */
export { cString, ffiAvailable, pointerTo, type Result, SYS, syscall } from './ffi.ts';
