/**
 * The node's end of the control connection: requests with their answers, events, and the end. Everything that arrives is held
 * against its shape; the first message that does not fit ends the link with `broken`.
 */
import { connect, type Socket } from 'node:net';
import { type Clock, messageOf } from '#kit';
import { ffiAvailable, shortUnixPath } from '#kit/os';
import type { WorkloadState } from '../../contract.ts';
import { isRuntimeErrorCode, runtimeError } from '../errors.ts';
import { encodeFrame, FrameReader } from '../protocol/frames.ts';
import { type Ask, type Hello, helloShape, readMessage } from '../protocol/messages.ts';
import type { Shape } from '../protocol/shape.ts';
import { negotiate, VERSIONS } from '../protocol/version.ts';

export interface LinkEnd {
  /** True when the sandbox said something that it may not say. */
  readonly broken: boolean;
  readonly reason: string;
}

export interface LinkOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly onEvent: (event: number, workload: string, state: WorkloadState) => void;
  readonly onEnd: (end: LinkEnd) => void;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Made once: each abort without a reason makes an exception with a stack of its own. */
const IN_TIME = new Error('in time');
const HELLO_MS = 20_000;
const BIND_MS = 50;
/** Longer than the largest module compiles; a request that takes longer has gone astray. */
const ANSWER_MS = 60_000;

export class Link {
  readonly hello: Hello;
  readonly #socket: Socket;
  readonly #options: LinkOptions;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;
  #ended = false;

  static async open(options: LinkOptions): Promise<Link> {
    const socket = await patientlyConnected(options);
    const reader = new FrameReader();
    const opening = Promise.withResolvers<Link>();
    let link: Link | undefined;
    const stop = new AbortController();
    socket.on('data', (piece) => {
      try {
        for (const message of reader.push(piece as Buffer)) {
          if (link !== undefined) link.#take(message);
          else {
            link = new Link(socket, { options, hello: greet(socket, message) });
            opening.resolve(link);
          }
        }
      } catch (error) {
        const end = { broken: true, reason: messageOf(error) };
        if (link === undefined)
          opening.reject(runtimeError('RUNTIME_SANDBOX_FAILED', `Cannot speak with the sandbox: ${end.reason}`));
        else link.#end(end);
        socket.destroy();
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      if (link !== undefined) link.#end({ broken: false, reason: 'the connection was closed' });
      opening.reject(runtimeError('RUNTIME_SANDBOX_FAILED', 'Cannot speak with the sandbox: it closed the connection'));
    });
    options.clock.sleep(HELLO_MS, { signal: stop.signal }).then(
      () => {
        opening.reject(
          runtimeError('RUNTIME_TIMEOUT', `Cannot speak with the sandbox: it said nothing for ${HELLO_MS} ms`),
        );
        socket.destroy();
      },
      () => {},
    );
    return opening.promise.finally(() => stop.abort(IN_TIME));
  }

  private constructor(socket: Socket, { options, hello }: { options: LinkOptions; hello: Hello }) {
    this.#socket = socket;
    this.#options = options;
    this.hello = hello;
  }

  /** Of the protocol, as agreed. */
  get version(): number {
    return negotiate(VERSIONS, this.hello.versions) ?? 0;
  }

  /** Sends a request and holds the answer against `shape`. */
  async ask<T>(request: Ask, shape: Shape<T>, { timeoutMs = ANSWER_MS } = {}): Promise<T> {
    if (this.#ended) throw runtimeError('RUNTIME_SANDBOX_GONE', `Cannot ask the sandbox to ${request.do}: it is gone`);
    const id = ++this.#asked;
    const frame = encode({ ...request, id });
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    this.#socket.write(frame);
    const stop = new AbortController();
    this.#options.clock.sleep(timeoutMs, { signal: stop.signal }).then(
      () =>
        answer.reject(
          runtimeError('RUNTIME_TIMEOUT', `Cannot ${request.do}: the sandbox did not answer for ${timeoutMs} ms`),
        ),
      () => {},
    );
    try {
      return this.#checked(await answer.promise, shape, request.do);
    } finally {
      stop.abort(IN_TIME);
      this.#waiting.delete(id);
    }
  }

  close(): void {
    this.#end({ broken: false, reason: 'the node closed the connection' }, { tell: false });
    this.#socket.destroy();
  }

  /** What only who placed workloads can see is wrong. */
  break(reason: string): void {
    this.#end({ broken: true, reason });
    this.#socket.destroy();
  }

  #checked<T>(value: unknown, shape: Shape<T>, verb: string): T {
    try {
      return shape(value, verb);
    } catch (error) {
      this.break(messageOf(error));
      throw runtimeError('RUNTIME_SANDBOX_GONE', `Cannot ${verb}: the sandbox answered what is no answer`, {
        cause: error,
      });
    }
  }

  #take(value: unknown): void {
    // The rest of a piece in which something ended it.
    if (this.#ended) return;
    const message = readMessage(value);
    if ('event' in message) return void this.#options.onEvent(message.event, message.workload, message.state);
    const waiting = this.#waiting.get(message.id);
    if (message.error === undefined) return void waiting?.resolve(message.ok);
    const { code, message: text } = message.error;
    waiting?.reject(runtimeError(isRuntimeErrorCode(code) ? code : 'RUNTIME_SANDBOX_FAILED', text));
  }

  #end(end: LinkEnd, { tell = true } = {}): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const { reject } of this.#waiting.values()) {
      reject(runtimeError('RUNTIME_SANDBOX_GONE', `Cannot go on with the sandbox: ${end.reason}`));
    }
    this.#waiting.clear();
    if (tell) this.#options.onEnd(end);
  }
}

function encode(message: unknown): Buffer {
  try {
    return encodeFrame(message);
  } catch (error) {
    throw runtimeError('RUNTIME_BAD_SPEC', 'Cannot describe the workload to its sandbox: it is too large', {
      cause: error,
      hint: 'Arguments and environment together may have about 1 MiB; put large data into a volume',
    });
  }
}

function greet(socket: Socket, message: unknown): Hello {
  const hello = helloShape(message, 'hello');
  const version = negotiate(VERSIONS, hello.versions);
  if (version === undefined) {
    const { min, max } = hello.versions;
    throw new RangeError(
      `it speaks versions ${min} to ${max} of the protocol, this node ${VERSIONS.min} to ${VERSIONS.max}`,
    );
  }
  socket.write(encodeFrame({ version }));
  return hello;
}

/** Without node:ffi no socket can be inherited: the sandbox binds its own, a while after it was started. */
async function patientlyConnected({ path, clock }: LinkOptions): Promise<Socket> {
  for (let waited = 0; ; waited += BIND_MS) {
    try {
      return await connected(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const isEarly = code === 'ENOENT' || code === 'ECONNREFUSED';
      if (ffiAvailable() || !isEarly || waited >= HELLO_MS) throw error;
      await clock.sleep(BIND_MS);
    }
  }
}

function connected(path: string): Promise<Socket> {
  const short = shortUnixPath(path);
  return new Promise((resolve, reject) => {
    const socket = connect(short.path);
    socket.once('connect', () => {
      short.close();
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', (error) => {
      short.close();
      reject(error);
    });
  });
}
