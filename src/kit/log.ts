/**
 * The program's own log: one line a fact on stderr, fields as key=value, or JSON where a program reads it.
 * Guests' output never passes here (see `runtime/sandbox`). Secrets are never fields.
 */
export type Level = 'debug' | 'info' | 'warn' | 'error';
export type Fields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** The same log with fields added to every line. */
  with(fields: Fields): Log;
}

const ORDER: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface LogOptions {
  level?: Level;
  format?: 'text' | 'json';
  write?: (line: string) => void;
  now?: () => number;
}

export function createLog(options: LogOptions = {}, fields: Fields = {}): Log {
  const { level = 'info', format = 'text', write = writeStderr, now = Date.now } = options;
  function emit(at: Level, message: string, more: Fields = {}): void {
    if (ORDER[at] < ORDER[level]) return;
    const all = { ...fields, ...more };
    const time = new Date(now()).toISOString();
    write(format === 'json' ? jsonLine(time, at, message, all) : textLine(time, at, message, all));
  }
  return {
    debug: (message, more) => emit('debug', message, more),
    info: (message, more) => emit('info', message, more),
    warn: (message, more) => emit('warn', message, more),
    error: (message, more) => emit('error', message, more),
    with: (more) => createLog(options, { ...fields, ...more }),
  };
}

export const silentLog: Log = createLog({ write: () => {} });

function writeStderr(line: string): void {
  process.stderr.write(line);
}

function jsonLine(time: string, level: Level, message: string, fields: Fields): string {
  const plain = Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plainValue(value)]));
  return `${JSON.stringify({ time, level, message, ...plain })}\n`;
}

function textLine(time: string, level: Level, message: string, fields: Fields): string {
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${quoted(plainValue(value))}`);
  return `${time} ${level.padEnd(5)} ${oneLine(message)}${pairs.join('')}\n`;
}

function plainValue(value: unknown): unknown {
  if (value instanceof Error) return value.message;
  return typeof value === 'bigint' ? value.toString() : value;
}

function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[\w./:@-]+$/.test(text) ? text : JSON.stringify(text);
}

/** A message that carries foreign bytes must not forge a second line. */
function oneLine(text: string): string {
  return text.replace(/[\r\n\u0000-\u001f]/g, ' ');
}
