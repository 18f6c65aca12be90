/**
 * A real registry for tests: Debian's docker-registry on loopback, empty, gone with the test. Plain, with basic
 * authentication, with TLS, or both.
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get as getPlain } from 'node:http';
import { get as getTls } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { need } from '../processes/command.ts';
import { Daemon } from '../processes/daemon.ts';
import { issue, makeAuthority } from '../processes/openssl.ts';

/** Who may push and pull where `auth` is asked for. */
export const REGISTRY_USER = { username: 'wasmlet', password: 'not-a-secret' } as const;

/** bcrypt of the password above, which is the only hash that the registry takes. */
const HTPASSWD = 'wasmlet:$2b$04$z90KLfM/J1L9rLYuxWJY3Orwy0mWAS0ucixeTR8Qv.bMa6SkljN3a\n';

export interface RegistryOptions {
  /** Ask for REGISTRY_USER. */
  readonly auth?: boolean;
  /** Serve HTTPS, by a certificate of an authority made for it. */
  readonly tls?: boolean;
  /** Put before the command, to start it in a network namespace. */
  readonly enter?: readonly string[];
  /** Else a free one. */
  readonly port?: number;
}

export interface Registry extends AsyncDisposable {
  /** `127.0.0.1:PORT`, to put before a repository's name. */
  readonly host: string;
  readonly url: string;
  /** Path of the certificate authority (`ca.crt`, alone in its folder), with TLS. */
  readonly ca: string | undefined;
  readonly auth: typeof REGISTRY_USER | undefined;
  /** To stop, pause and kill it under a client. */
  readonly daemon: Daemon;
  stop(): Promise<void>;
}

export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const { auth = false, tls = false, enter = [] } = options;
  const dir = await mkdtemp(join(tmpdir(), 'wasmlet-registry-'));
  const port = options.port ?? (await freePort());
  const ca = tls ? await writeCertificates(dir) : undefined;
  if (auth) await writeFile(join(dir, 'htpasswd'), HTPASSWD);
  await writeFile(join(dir, 'config.json'), JSON.stringify(configuration({ dir, port, auth, tls })));
  const argv = [process.env['WASMLET_TEST_REGISTRY'] ?? need('docker-registry'), 'serve', join(dir, 'config.json')];
  const daemon = new Daemon({ name: 'docker-registry', argv, enter, log: join(dir, 'registry.log') });
  const host = `127.0.0.1:${port}`;
  async function stop(): Promise<void> {
    await daemon.signal('SIGKILL');
    await rm(dir, { recursive: true, force: true });
  }
  daemon.start();
  const url = `${tls ? 'https' : 'http'}://${host}`;
  try {
    // From outside its namespace nothing can be asked: there its log says when it listens.
    await ready(daemon, enter.length > 0 ? undefined : { url, ca });
  } catch (error) {
    await stop();
    throw error;
  }
  return { host, url, ca, auth: auth ? REGISTRY_USER : undefined, daemon, stop, [Symbol.asyncDispose]: stop };
}

interface Settings {
  readonly dir: string;
  readonly port: number;
  readonly auth: boolean;
  readonly tls: boolean;
}

/** https://distribution.github.io/distribution/about/configuration/ (YAML, of which JSON is a part). */
function configuration({ dir, port, auth, tls }: Settings): object {
  return {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(dir, 'data') }, delete: { enabled: true } },
    http: {
      addr: `127.0.0.1:${port}`,
      ...(tls ? { tls: { certificate: join(dir, 'server.crt'), key: join(dir, 'server.key') } } : {}),
    },
    ...(auth ? { auth: { htpasswd: { realm: 'test', path: join(dir, 'htpasswd') } } } : {}),
  };
}

async function writeCertificates(dir: string): Promise<string> {
  const authority = await makeAuthority(join(dir, 'authority'), 'ca');
  const subjectAltNames = ['DNS:localhost', 'IP:127.0.0.1'];
  await issue(dir, authority, { name: 'server', commonName: 'registry', subjectAltNames });
  // Alone in a folder, as the clients that take a folder want it.
  const trusted = join(dir, 'trusted', 'ca.crt');
  await mkdir(dirname(trusted));
  await copyFile(authority.certificate, trusted);
  return trusted;
}

async function ready(daemon: Daemon, server: { url: string; ca: string | undefined } | undefined): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (!daemon.running) throw new Error(`Cannot start the registry: it has ended\n${daemon.tail()}`);
    if (server === undefined ? /listening on/.test(daemon.tail(200)) : await answers(server)) return;
    await setTimeout(50);
  }
  throw new Error(`Cannot start the registry: it does not answer\n${daemon.tail()}`);
}

async function answers({ url, ca }: { url: string; ca: string | undefined }): Promise<boolean> {
  const trusted = ca === undefined ? undefined : await readFile(ca, 'utf8');
  return await new Promise((resolve) => {
    function take(response: { resume(): unknown; statusCode?: number | undefined }): void {
      response.resume();
      resolve(response.statusCode === 200 || response.statusCode === 401);
    }
    const request = trusted === undefined ? getPlain(`${url}/v2/`, take) : getTls(`${url}/v2/`, { ca: trusted }, take);
    request.on('error', () => resolve(false));
  });
}

/** A port of 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
