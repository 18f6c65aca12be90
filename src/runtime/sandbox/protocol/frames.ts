/** Frames on a stream: 4 bytes of length, little endian, then that many bytes of UTF-8 JSON. */
export const MAX_FRAME_BYTES = 1024 * 1024;
const HEADER_BYTES = 4;

/** What ends a connection at once: the other side does not speak the protocol. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** Throws a RangeError for a message that no reader would take. */
export function encodeFrame(message: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(message));
  if (body.byteLength > MAX_FRAME_BYTES) {
    throw new RangeError(`A message of ${body.byteLength} bytes is more than ${MAX_FRAME_BYTES}`);
  }
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.byteLength);
  frame.writeUInt32LE(body.byteLength, 0);
  body.copy(frame, HEADER_BYTES);
  return frame;
}

/** Puts frames together from what a stream delivers, in whatever pieces; holds at most one frame and one piece. */
export class FrameReader {
  #pieces: Buffer[] = [];
  #held = 0;

  /** The messages that are complete with this piece. Throws FrameError; nothing may be pushed after that. */
  *push(piece: Uint8Array): Generator<unknown> {
    this.#pieces.push(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
    this.#held += piece.byteLength;
    for (;;) {
      const length = this.#length();
      if (length === undefined || this.#held < HEADER_BYTES + length) return;
      const all = this.#join();
      const body = all.subarray(HEADER_BYTES, HEADER_BYTES + length);
      const rest = all.subarray(HEADER_BYTES + length);
      this.#pieces = rest.byteLength === 0 ? [] : [rest];
      this.#held = rest.byteLength;
      yield parse(body);
    }
  }

  #length(): number | undefined {
    if (this.#held < HEADER_BYTES) return undefined;
    const [first] = this.#pieces;
    const header = first !== undefined && first.byteLength >= HEADER_BYTES ? first : this.#join();
    const length = header.readUInt32LE(0);
    if (length > MAX_FRAME_BYTES) throw new FrameError(`a frame of ${length} bytes is more than ${MAX_FRAME_BYTES}`);
    return length;
  }

  #join(): Buffer {
    const [first] = this.#pieces;
    if (this.#pieces.length === 1 && first !== undefined) return first;
    const all = Buffer.concat(this.#pieces);
    this.#pieces = [all];
    return all;
  }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new FrameError('a frame is not UTF-8 JSON');
  }
}
