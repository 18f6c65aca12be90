// The three calls of WASI preview 1 that a server needs: take a connection, read from it, write to it.
// Source: WASI preview 1, `sock_accept`, `fd_read`, `fd_write`.

@external("wasi_snapshot_preview1", "sock_accept")
declare function sock_accept(fd: i32, flags: i32, result: usize): i32;
@external("wasi_snapshot_preview1", "fd_read")
declare function fd_read(fd: i32, iovs: usize, count: i32, size: usize): i32;
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: i32, iovs: usize, count: i32, size: usize): i32;
@external("wasi_snapshot_preview1", "fd_close")
declare function fd_close(fd: i32): i32;

/** The first declared port of the container; the next ones are 4, 5, … */
export const LISTENER: i32 = 3;

const vector = memory.data(8);
const result = memory.data(8);

/** Waits for a connection; costs the node a suspended stack, no thread. */
export function accept(): i32 {
  return sock_accept(LISTENER, 0, result) == 0 ? load<i32>(result) : -1;
}

/** What the client sent up to now, at most 4 KiB; empty when it closed. */
export function read(fd: i32): string {
  const buffer = new ArrayBuffer(4096);
  store<usize>(vector, changetype<usize>(buffer));
  store<usize>(vector + 4, 4096);
  if (fd_read(fd, vector, 1, result) != 0) return "";
  return String.UTF8.decodeUnsafe(changetype<usize>(buffer), load<usize>(result));
}

export function write(fd: i32, text: string): void {
  const bytes = String.UTF8.encode(text);
  let sent: usize = 0;
  while (sent < <usize>bytes.byteLength) {
    store<usize>(vector, changetype<usize>(bytes) + sent);
    store<usize>(vector + 4, <usize>bytes.byteLength - sent);
    if (fd_write(fd, vector, 1, result) != 0) return;
    sent += load<usize>(result);
  }
}

export function close(fd: i32): void {
  fd_close(fd);
}
