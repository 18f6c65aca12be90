/** This process's own standard streams as a guest's, for `wasmlet run`. Nothing is read from stdin before the guest asks. */
import type { Writable } from 'node:stream';
import type { Sink, WasiOptions } from './contract.ts';

type StdioOptions = Required<Pick<WasiOptions, 'stdin' | 'stdout' | 'stderr' | 'terminals'>>;

export function processStdio(): StdioOptions {
  return {
    stdin: { [Symbol.asyncIterator]: () => process.stdin[Symbol.asyncIterator]() as AsyncIterator<Uint8Array> },
    stdout: sinkOf(process.stdout),
    stderr: sinkOf(process.stderr),
    terminals: {
      stdin: process.stdin.isTTY === true,
      stdout: process.stdout.isTTY === true,
      stderr: process.stderr.isTTY === true,
    },
  };
}

/** Waits for the write, so that a guest is as slow as its reader and learns of a closed pipe. */
function sinkOf(stream: Writable): Sink {
  let failed: Error | undefined;
  // Without a listener a reader that went away (`| head`) would end the whole process.
  stream.on('error', (error) => {
    failed = error;
  });
  return (bytes) => {
    if (failed !== undefined) throw failed;
    return new Promise((resolve, reject) => stream.write(bytes, (error) => (error ? reject(error) : resolve())));
  };
}
