/**
 * Frames and messages between node and sandbox, both directions: whatever comes, a reader ends with an error of the protocol
 * or goes on; it throws nothing else, and holds no more than one frame.
 */
import {
  chosenShape,
  encodeFrame,
  FrameError,
  FrameReader,
  helloShape,
  readMessage,
  requestShape,
  ShapeError,
} from '../../src/runtime/sandbox/testing.ts';
import { Finding, type Fuzzer, type Random, repeat } from './fuzzer.ts';
import { mangled, message } from './protocol-messages.ts';

function stream(random: Random): Buffer {
  const frames = Array.from({ length: 1 + random.below(6) }, () => encodeFrame(message(random)));
  return mangled(random, Buffer.concat(frames));
}

function read(random: Random, bytes: Buffer): void {
  const reader = new FrameReader();
  const shape = random.pick([helloShape, chosenShape, requestShape, readMessage]);
  for (let at = 0; at < bytes.byteLength; ) {
    const size = random.oneIn(3) ? 1 + random.below(5) : 1 + random.below(bytes.byteLength);
    for (const value of reader.push(bytes.subarray(at, at + size))) shape(value, 'message');
    at += size;
  }
}

export const protocol: Fuzzer = {
  name: 'protocol',
  summary: 'frames and messages between node and sandbox, both ways',
  run: (options) =>
    repeat(options, (random) => {
      const bytes = stream(random);
      try {
        read(random, bytes);
      } catch (error) {
        if (error instanceof FrameError || error instanceof ShapeError) return;
        throw new Finding(`a reader threw ${String(error)}`, bytes, error);
      }
    }),
};
