/** Feeds every row of the table of images in docs/bad-input.md, and fails for a row without a case or a case without a row. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { FakeClock } from '#kit';
import type { EventInput } from '#kube';
import { MEDIA } from '#oci';
import { type FakeRegistry, makeBench, moduleOf, sample, until } from '#oci/fake';
import type { ImageAnswer } from './contract.ts';
import { createImageManager } from './manager.ts';

interface Row {
  readonly input: string;
  readonly reason: string;
  readonly message: string;
  readonly events: string;
  readonly retried: string;
}

const rows = readRows(new URL('../../../docs/bad-input.md', import.meta.url), 'Images');

function readRows(file: URL, heading: string): Row[] {
  const section =
    readFileSync(file, 'utf8')
      .split(/^## /m)
      .find((part) => part.startsWith(heading)) ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1)
    .map((line) => {
      const [input = '', reason = '', message = '', events = '', retried = ''] = line.slice(2, -2).split(' | ');
      return { input, reason, message, events, retried };
    });
}

interface Case {
  /** Prepares the registry and returns the image's name. */
  readonly image: (registry: FakeRegistry) => string | Promise<string>;
  readonly policy?: string;
  /** Time has to pass for its end. */
  readonly slow?: boolean;
}

const artifact = sample(moduleOf(50_000));
const blobPath = `/blobs/${artifact.module.digest}`;

/** The artifact, and `answer` to every request whose path has `part`. */
function answering(part: string, answer: (response: ServerResponse) => void): Case {
  return {
    image: (registry) => {
      registry.fault = (_request, response, { path }) => {
        if (path.includes(part)) answer(response);
        return path.includes(part);
      };
      return registry.offer(artifact);
    },
  };
}

/** A document instead of a manifest. */
function offering(document: unknown, mediaType: string = MEDIA.manifest): Case {
  const bytes = Buffer.from(typeof document === 'string' ? document : JSON.stringify(document));
  return { image: (registry) => registry.offerManifest({ mediaType, bytes }) };
}

/** The artifact with another configuration or other layers. */
function changed(config: object | undefined, change: (manifest: Record<string, unknown>) => object): Case {
  return {
    image: (registry) => {
      registry.offer(artifact);
      const other = config === undefined ? artifact : sample(moduleOf(16));
      const bytes = config === undefined ? other.config.bytes : Buffer.from(JSON.stringify(config));
      const digest = registry.keep(bytes);
      const manifest = JSON.parse(Buffer.from(artifact.manifest.bytes).toString()) as Record<string, unknown>;
      const described = { ...manifest, config: { ...(manifest['config'] as object), digest, size: bytes.length } };
      return registry.offerManifest({
        mediaType: MEDIA.manifest,
        bytes: Buffer.from(JSON.stringify(change(described))),
      });
    },
  };
}

const LINUX_LAYER = {
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest: `sha256:${'1'.repeat(64)}`,
  size: 9,
};

const cases: Readonly<Record<string, Case>> = {
  'a name that is none': { image: () => 'Not a/name' },
  'an image that is not there, with policy Never': { image: ({ host }) => `${host}/a:1`, policy: 'Never' },
  'a Linux image': changed({ os: 'linux', architecture: 'amd64' }, (manifest) => ({
    ...manifest,
    config: { ...(manifest['config'] as object), mediaType: MEDIA.imageConfig },
    layers: [LINUX_LAYER],
  })),
  'an index without wasm': offering(
    {
      schemaVersion: 2,
      manifests: [{ ...LINUX_LAYER, mediaType: MEDIA.manifest, platform: { os: 'linux', architecture: 'amd64' } }],
    },
    MEDIA.index,
  ),
  'a component': changed({ os: 'wasip2', architecture: 'wasm' }, (manifest) => manifest),
  'an artifact of two layers': changed(undefined, (manifest) => {
    const layers = manifest['layers'] as object[];
    return { ...manifest, layers: [...layers, ...layers] };
  }),
  'a manifest that is not JSON': offering('nonsense'),
  'a manifest of more than 4 MiB': offering(' '.repeat(5 << 20)),
  'a blob that is cut short every time': {
    ...answering(blobPath, (response) => response.writeHead(200).end('\0asm')),
    slow: true,
  },
  'a blob that is longer than announced': answering(blobPath, (response) =>
    response.writeHead(200).end(Buffer.alloc(60_000)),
  ),
  'a blob with another digest': answering(blobPath, (response) => response.writeHead(200).end(moduleOf(50_000, 9))),
  'a registry that asks for credentials (401)': answering('/v2/team', (response) => response.writeHead(401).end()),
  'a registry that denies (403)': answering('/v2/team', (response) => response.writeHead(403).end()),
  'an image that the registry has not (404)': { image: ({ host }) => `${host}/team/hello:none` },
  'a registry that asks to wait for an hour (429)': answering('/v2/team', (response) =>
    response.writeHead(429, { 'retry-after': '3600' }).end(),
  ),
  'a registry that fails (500)': answering('/v2/team', (response) => response.writeHead(500).end()),
  'a registry that stalls': {
    ...answering(blobPath, (response) => {
      response.writeHead(200, { 'content-length': 50_000 });
      response.flushHeaders();
    }),
    slow: true,
  },
  'a registry that takes connections and says nothing': { ...answering('/v2/team', () => {}), slow: true },
  'a registry that is not there': {
    image: async (registry) => {
      const { host } = registry;
      await registry[Symbol.asyncDispose]();
      return `${host}/team/hello:v1`;
    },
  },
  'a web page instead of a registry': answering('/v2/team', (response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
  ),
  'redirects in a circle': answering('/v2/team', (response) => response.writeHead(302, { location: '' }).end()),
  'a redirect to plain http elsewhere': answering('/v2/team', (response) =>
    response.writeHead(302, { location: 'http://storage.example.invalid/' }).end(),
  ),
};

describe('bad images, as docs/bad-input.md has them', () => {
  it('has a case for every row and a row for every case', () => {
    assert.deepEqual(rows.map(({ input }) => input).sort(), Object.keys(cases).sort());
  });

  for (const row of rows) {
    const input = cases[row.input];
    if (input !== undefined) it(row.input, () => hold(row, input));
  }
});

async function hold(row: Row, { image: prepare, policy = 'IfNotPresent', slow = false }: Case): Promise<void> {
  const clock = new FakeClock();
  await using bench = await makeBench({ clock });
  const image = await prepare(bench.registry);
  const events: string[] = [];
  const recorder = { record: (_about: unknown, { reason }: EventInput) => void events.push(reason) };
  const { store, puller } = bench;
  const manager = createImageManager({ store, puller, events: recorder, clock, credentialFiles: [] });
  const pod = { metadata: { name: 'p', namespace: 'n', uid: 'u' } };
  const request = { pod, container: { name: 'c', image, imagePullPolicy: policy }, secrets: [] };
  let answeredAt = 0;
  const asked = manager.ensureImage(request).finally(() => {
    answeredAt = clock.now();
  });
  const first = await (slow ? hurried(clock, asked) : asked);
  assert.equal(first.waiting?.reason, row.reason);
  assert.match(first.waiting?.message ?? '', patternOf(row.message));
  assert.equal(events.join(', '), row.events.replace(', once a pod and digest', ''));
  const again = await manager.ensureImage(request);
  assert.ok(again.waiting !== undefined);
  assert.equal(`${(again.retryAt - answeredAt) / 1000} s`, row.retried);
  if (row.events.includes('once a pod and digest')) await staysQuiet();

  async function staysQuiet(): Promise<void> {
    events.length = 0;
    await clock.advance(300_000);
    await manager.ensureImage(request);
    assert.deepEqual(events, []);
  }
}

/** Moves the clock whenever somebody sleeps, until the answer is there. */
async function hurried(clock: FakeClock, answer: Promise<ImageAnswer>): Promise<ImageAnswer> {
  let over = false;
  const done = answer.finally(() => {
    over = true;
  });
  while (!over) {
    await until(() => clock.sleeping > 0 || over);
    await clock.advance(500);
  }
  return await done;
}

function patternOf(words: string): RegExp {
  const escaped = words.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(escaped.join('.*'));
}
