/**
 * A sandbox that was broken out of owns `tenants/<namespace>` and can put there what it likes, at any time. Each place that the node
 * reads or writes below it is made a link to a folder of somebody else, before the pod starts or while it runs; then the pod goes through
 * its whole life. Nothing of the other folder may change, and nothing of it may be told.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chownSync,
  closeSync,
  existsSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { CONFIG_MAPS } from '#kube';
import { createWorld, podOf, type World } from './fixture.ts';

const SECRET = 'root:$6$what-nobody-may-see';
const isRoot = process.getuid?.() === 0;
/** The sandbox's user, where the node may give folders away. */
const TENANT = 1_900_000_007;
const POD = 'default_web_u-1';

/** Somebody else's folder: with all that the node would look for, or write, in one of its own. */
function makeOutside(): string {
  const outside = mkdtempSync(join(tmpdir(), 'wasmlet-outside-'));
  for (const folder of [
    '',
    'u-1',
    'main',
    'u-1/containers/main',
    'containers/main',
    'v',
    POD,
    `${POD}/main`,
    'kubernetes.io~configmap',
  ])
    mkdirSync(join(outside, folder), { recursive: true });
  for (const folder of ['', 'main', 'u-1/containers/main', 'containers/main', `${POD}/main`])
    for (const name of ['termination-log', '0.log', '1.log', 'a', 'shadow'])
      writeFileSync(join(outside, folder, name), `2026-01-01T00:00:00.000000001Z stdout F ${SECRET}\n`);
  return outside;
}

/** Everything below a folder: type, owner, mode, content, and when folders were last written to. */
function everything(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .concat('.')
    .sort()
    .map((name) => {
      const path = join(folder, name);
      const { mode, uid, mtimeMs, ctimeMs } = lstatSync(path);
      const content = lstatSync(path).isFile() ? readFileSync(path, 'latin1') : '';
      return [name, mode, uid, mtimeMs, ctimeMs, content].join(' ');
    });
}

function tenantOf(world: World): string {
  const tenant = join(world.dataDir, 'tenants/default');
  mkdirSync(tenant, { recursive: true });
  if (isRoot) chownSync(tenant, TENANT, TENANT);
  return tenant;
}

/** As the sandbox's user would: what is there goes, and a link stands in its place. */
function plant(path: string, target: string): void {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
  if (isRoot) lchownSync(path, TENANT, TENANT);
}

async function logsOf(world: World): Promise<string> {
  const request = {
    namespace: 'default',
    pod: 'web',
    container: 'main',
    follow: false,
    previous: false,
    timestamps: false,
  };
  const parts: Uint8Array[] = [];
  try {
    for await (const part of await world.manager.logs(request, { signal: new AbortController().signal }))
      parts.push(part);
  } catch {
    // Said in words, which the status has too.
  }
  return Buffer.concat(parts).toString();
}

const VOLUMES = ['pods/u-1/volumes/kubernetes.io~configmap/v', 'pods/u-1/volumes/kubernetes.io~empty-dir/w'];
const FOLDERS = [
  'pods',
  'pods/u-1',
  'pods/u-1/containers',
  'pods/u-1/containers/main',
  'pods/u-1/volumes',
  'pods/u-1/volumes/kubernetes.io~configmap',
  ...VOLUMES,
  `${VOLUMES[0]}/..data`,
  `${VOLUMES[0]}/..data_tmp`,
  `${VOLUMES[0]}/sub`,
  `${VOLUMES[1]}/below`,
  `${VOLUMES[1]}/below/there`,
  'logs',
  `logs/${POD}`,
  `logs/${POD}/main`,
];
const FILES = [
  'pods/u-1/containers/main/termination-log',
  `logs/${POD}/main/0.log`,
  `${VOLUMES[0]}/a`,
  `${VOLUMES[0]}/..data/a`,
];

function makePod(world: World): void {
  world.api.put(CONFIG_MAPS, {
    kind: 'ConfigMap',
    metadata: { name: 'cfg', namespace: 'default' },
    data: { a: '1' },
  } as never);
  world.api.createPod(
    podOf({
      volumes: [
        {
          name: 'v',
          configMap: {
            name: 'cfg',
            items: [
              { key: 'a', path: 'a' },
              { key: 'a', path: 'sub/a' },
            ],
          },
        },
        { name: 'w', emptyDir: {} },
      ],
      containers: [
        {
          name: 'main',
          image: 'hello:1',
          terminationMessagePolicy: 'FallbackToLogsOnError',
          volumeMounts: [
            { name: 'v', mountPath: '/v' },
            { name: 'w', mountPath: '/w', subPath: 'below/there' },
          ],
        },
      ],
    }),
  );
}

/** What the pod's folders would be used for, from here to the end; answers all that was told of it. */
async function live(world: World): Promise<string> {
  await world.run();
  world.machine.exit('u-1', 'main', { code: 2 });
  await world.run();
  const told = [await logsOf(world)];
  const change = { kind: 'ConfigMap', metadata: { name: 'cfg', namespace: 'default' }, data: { a: '2' } };
  world.api.put(CONFIG_MAPS, change as never);
  await world.run(130_000);
  world.machine.exit('u-1', 'main', { code: 2 });
  await world.run(130_000);
  world.machine.exit('u-1', 'main', { code: 2 });
  await world.run(130_000);
  told.push(await logsOf(world), JSON.stringify(world.api.pod('web')?.status), JSON.stringify(world.events));
  world.api.deletePod('web');
  await world.run(60_000);
  return told.join('\n');
}

/** No file that a container is given may be one of somebody else: the sandbox's own walls are behind it, and not tried here. */
describe('a sandbox that puts links where the node reads and writes', () => {
  for (const when of ['before the pod starts', 'while it runs']) {
    for (const at of [...FOLDERS, ...FILES]) {
      it(`${at}, ${when}: nothing of another folder is changed or told`, async () => {
        using world = createWorld();
        const outside = makeOutside();
        const before = everything(outside);
        const tenant = tenantOf(world);
        const target = FILES.includes(at) ? join(outside, 'shadow') : outside;
        if (when === 'before the pod starts') plant(join(tenant, at), target);
        makePod(world);
        if (when === 'while it runs') {
          await world.run();
          plant(join(tenant, at), target);
        }
        const told = await live(world);
        assert.deepEqual(everything(outside), before);
        assert.ok(!told.includes(SECRET), told);
        // Pods that are gone are swept up after a restart, from what the tenant made of their folders.
        await world.restart();
        assert.deepEqual(everything(outside), before);
        assert.equal(world.api.pod('web'), undefined, 'and the pod ends');
        rmSync(outside, { recursive: true });
      });
    }
  }
});

describe('what a sandbox may put in the place of a file that the node reads', () => {
  const TRICKS: Readonly<Record<string, (path: string, outside: string) => void>> = {
    'a hard link to another file': (path, outside) => linkSync(join(outside, 'shadow'), path),
    'a pipe that nobody writes to': (path) => void spawnSync('mkfifo', [path]),
    'a folder': (path) => mkdirSync(path),
    'a device': (path) => isRoot && spawnSync('mknod', [path, 'c', '1', '5']),
    'a file of a terabyte': (path) => {
      const fd = openSync(path, 'w');
      ftruncateSync(fd, 2 ** 40);
      closeSync(fd);
    },
    'a link to itself': (path) => symlinkSync(path, path),
    'a link to a file of the tenant': (path) => {
      writeFileSync(`${path}.other`, `2026-01-01T00:00:00.000000001Z stdout F ${SECRET}\n`);
      symlinkSync(`${path}.other`, path);
    },
  };
  for (const [what, trick] of Object.entries(TRICKS)) {
    for (const at of [FILES[0] ?? '', FILES[1] ?? '', `${VOLUMES[0]}/..data`]) {
      it(`${what}, for ${at.slice(at.lastIndexOf('/') + 1)}: it is neither waited for nor told, and the pod ends`, async () => {
        using world = createWorld();
        const tenant = tenantOf(world);
        // On the same file system: a hard link does not lead to another.
        const outside = join(world.dataDir, 'pki');
        mkdirSync(outside);
        writeFileSync(join(outside, 'shadow'), `2026-01-01T00:00:00.000000001Z stdout F ${SECRET}\n`);
        makePod(world);
        await world.run();
        const path = join(tenant, at);
        rmSync(path, { recursive: true, force: true });
        mkdirSync(dirname(path), { recursive: true });
        trick(path, outside);
        const told = await live(world);
        assert.ok(!told.includes(SECRET), told);
        assert.ok(readFileSync(join(outside, 'shadow'), 'utf8').includes(SECRET));
        assert.equal(world.api.pod('web'), undefined);
        assert.ok(!existsSync(join(tenant, 'pods/u-1')));
      });
    }
  }
});
