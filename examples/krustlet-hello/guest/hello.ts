// The first program that people ran on Krustlet, as of 2019: it imports `wasi_unstable`, the snapshot before preview 1.

// @ts-ignore: decorator
@external("wasi_unstable", "fd_write")
declare function fd_write(descriptor: i32, vectors: usize, count: i32, written: usize): i32;

// Address and length of what is written, and where the host says how much was.
const vector: usize = memory.data(12);

function say(descriptor: i32, words: string): void {
  const bytes = String.UTF8.encode(words + "\n");
  store<usize>(vector, changetype<usize>(bytes));
  store<i32>(vector, bytes.byteLength, 4);
  fd_write(descriptor, vector, 1, vector + 8);
}

export function _start(): void {
  say(1, "hello from stdout!");
  say(2, "hello from stderr!");
}
