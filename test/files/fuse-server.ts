/**
 * A file system that hangs where its names say so, over /dev/fuse: `node fuse-server.ts PLACE` mounts it there and serves until it is
 * killed, which takes the mount's connection with it and frees all who wait. Names decide everything: `folder…` is a directory, `link…`
 * a symbolic link, `new…` is not there, all else a file; and a request for a name that has `hangs-on-REQUEST` in it is not answered
 * until somebody looks for `new-release`; its kind is printed.
 * Source: Linux `include/uapi/linux/fuse.h`, protocol 7.31.
 */
import { openSync, readSync, writeSync } from 'node:fs';
import { cString, pointerTo, SYS, syscall, systemError } from '#kit/os';

const REQUESTS: Readonly<Record<number, string>> = {
  1: 'LOOKUP',
  2: 'FORGET',
  3: 'GETATTR',
  4: 'SETATTR',
  5: 'READLINK',
  6: 'SYMLINK',
  8: 'MKNOD',
  9: 'MKDIR',
  10: 'UNLINK',
  11: 'RMDIR',
  12: 'RENAME',
  13: 'LINK',
  14: 'OPEN',
  15: 'READ',
  16: 'WRITE',
  18: 'RELEASE',
  20: 'FSYNC',
  25: 'FLUSH',
  26: 'INIT',
  27: 'OPENDIR',
  28: 'READDIR',
  29: 'RELEASEDIR',
  35: 'CREATE',
  36: 'INTERRUPT',
  42: 'BATCH_FORGET',
  43: 'FALLOCATE',
  45: 'RENAME2',
};
/** Requests that no answer belongs to. */
const SILENT = new Set(['FORGET', 'BATCH_FORGET', 'INTERRUPT']);
const IN_HEADER = 40;
const OUT_HEADER = 16;
const DIRECT_IO = 1;
const ENOENT = 2;
const ENOSYS = 38;
const FILE_BYTES = 10;

/** Names by node number; 1 is the root. */
const names: string[] = ['', 'folder'];

function modeOf(name: string): number {
  if (name.startsWith('folder')) return 0o040777;
  return name.startsWith('link') ? 0o120777 : 0o100666;
}

function attributes(node: number): Buffer {
  const out = Buffer.alloc(88);
  out.writeBigUInt64LE(BigInt(node), 0);
  out.writeBigUInt64LE(BigInt(FILE_BYTES), 8);
  out.writeUInt32LE(modeOf(names[node] ?? ''), 60);
  out.writeUInt32LE(1, 64);
  return out;
}

/** Nothing is kept by the kernel: each call asks again. */
function entry(name: string): Buffer {
  const node = names.push(name) - 1;
  const out = Buffer.alloc(40);
  out.writeBigUInt64LE(BigInt(node), 0);
  return Buffer.concat([out, attributes(node)]);
}

function attributesAnswer(node: number): Buffer {
  return Buffer.concat([Buffer.alloc(16), attributes(node)]);
}

function initAnswer(): Buffer {
  const out = Buffer.alloc(64);
  out.writeUInt32LE(7, 0);
  out.writeUInt32LE(31, 4);
  out.writeUInt32LE(65_536, 20);
  return out;
}

function opened(flags: number): Buffer {
  const out = Buffer.alloc(16);
  out.writeUInt32LE(flags, 8);
  return out;
}

function textAt(body: Buffer, at: number): string {
  const end = body.indexOf(0, at);
  return body.toString('utf8', at, end < 0 ? body.byteLength : end);
}

/** The name that a request makes or looks for, if any. */
function nameIn(request: string, body: Buffer): string {
  const at: Readonly<Record<string, number>> = { LOOKUP: 0, UNLINK: 0, RMDIR: 0, MKDIR: 8, RENAME2: 16, RENAME: 8 };
  if (request === 'SYMLINK') return textAt(body, 0);
  if (request === 'LINK') return textAt(body, 8);
  if (request === 'CREATE' || request === 'MKNOD') return textAt(body, 16);
  return at[request] === undefined ? '' : textAt(body, at[request]);
}

function answerTo(request: string, node: number, body: Buffer): Buffer | number {
  const name = nameIn(request, body);
  switch (request) {
    case 'INIT':
      return initAnswer();
    case 'LOOKUP':
      return name.startsWith('new') ? -ENOENT : entry(name);
    case 'GETATTR':
    case 'SETATTR':
      return attributesAnswer(node);
    case 'READLINK':
      return Buffer.from('target');
    case 'SYMLINK':
      return entry('link');
    case 'MKDIR':
      return entry('folder');
    case 'LINK':
      return entry(name);
    case 'CREATE':
      return Buffer.concat([entry(name), opened(DIRECT_IO)]);
    case 'OPEN':
      return opened(DIRECT_IO);
    case 'OPENDIR':
      return opened(0);
    case 'READ':
      return body.readBigUInt64LE(8) === 0n ? Buffer.alloc(FILE_BYTES, 'x') : Buffer.alloc(0);
    case 'READDIR':
      return Buffer.alloc(0);
    case 'WRITE': {
      const out = Buffer.alloc(8);
      out.writeUInt32LE(body.readUInt32LE(16), 0);
      return out;
    }
    case 'unknown':
      return -ENOSYS;
    default:
      return Buffer.alloc(0);
  }
}

function reply(device: number, unique: Buffer, answer: Buffer | number): void {
  const content = typeof answer === 'number' ? Buffer.alloc(0) : answer;
  const header = Buffer.alloc(OUT_HEADER);
  header.writeUInt32LE(OUT_HEADER + content.byteLength, 0);
  header.writeInt32LE(typeof answer === 'number' ? answer : 0, 4);
  unique.copy(header, 8);
  try {
    writeSync(device, Buffer.concat([header, content]));
  } catch (error) {
    // Who asked was interrupted meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function serve(device: number): never {
  const hanging: { unique: Buffer; answer: Buffer | number }[] = [];
  const buffer = Buffer.alloc(1 << 18);
  for (;;) {
    const length = readSync(device, buffer);
    const request = REQUESTS[buffer.readUInt32LE(4)] ?? 'unknown';
    const node = Number(buffer.readBigUInt64LE(16));
    const body = Buffer.from(buffer.subarray(IN_HEADER, length));
    if (SILENT.has(request)) continue;
    const unique = Buffer.from(buffer.subarray(8, 16));
    const name = nameIn(request, body);
    const answer = answerTo(request, node, body);
    if (`${names[node]} ${name} `.includes(`hangs-on-${request} `)) {
      hanging.push({ unique, answer });
      writeSync(1, `${request}\n`);
      continue;
    }
    if (name === 'new-release') for (const late of hanging.splice(0)) reply(device, late.unique, late.answer);
    reply(device, unique, answer);
  }
}

const place = process.argv[2] ?? '';
const device = openSync('/dev/fuse', 'r+');
const options = cString(`fd=${device},rootmode=40000,user_id=0,group_id=0,allow_other`);
const [source, target, type] = [cString('hanging'), cString(place), cString('fuse')];
const result = syscall(SYS.mount, pointerTo(source), pointerTo(target), pointerTo(type), 0, pointerTo(options));
if (result < 0) throw systemError(result, `mount '${place}'`);
writeSync(1, 'mounted\n');
serve(device);
