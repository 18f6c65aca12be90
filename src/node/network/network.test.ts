import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ffiAvailable } from '#kit/os';
import type { Pod } from '#kube/types';
import { Addresses } from './addresses.ts';
import { Listeners, wantedPorts } from './listeners.ts';
import { createJoinedNetwork, createStandaloneNetwork, openSubnet } from './mod.ts';
import { listening, planOf } from './subnet.ts';

const podOf = (uid: string, ports: object[] = [], more: object = {}): Pod =>
  ({ metadata: { uid }, spec: { containers: [{ name: 'main', ports }], ...more } }) as Pod;

class Taken extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

function fakeListeners() {
  const open = new Map<number, string>();
  let next = 10;
  const listeners = new Listeners({
    listen: ({ address, port }) => {
      if (port < 1024) throw new Taken('EACCES');
      if ([...open.values()].includes(`${address}:${port}`)) throw new Taken('EADDRINUSE');
      open.set(next, `${address}:${port}`);
      return next++;
    },
    close: (fd) => void open.delete(fd),
  });
  return { listeners, open };
}

const subnet = {
  number: 1,
  nodeAddress: '127.42.1.1',
  ...planOf(1),
  [Symbol.dispose]() {},
};

describe('addresses', () => {
  it('are the same for the same pod, free after release, and used again late', () => {
    const addresses = new Addresses(planOf(9));
    assert.equal(addresses.allocate('x'), '127.42.9.2');
    assert.equal(addresses.allocate('x'), '127.42.9.2');
    assert.equal(addresses.allocate('y'), '127.42.9.3');
    addresses.release('x');
    assert.equal(addresses.allocate('z'), '127.42.9.4');
  });

  it('take the preferred one if it is ours and free', () => {
    const addresses = new Addresses(planOf(1));
    assert.equal(addresses.allocate('x', '127.42.1.77'), '127.42.1.77');
    assert.equal(addresses.allocate('y', '127.42.1.77'), '127.42.1.2');
    for (const foreign of [
      '10.0.0.9',
      '127.42.2.9',
      '127.42.1.1',
      '127.42.1.254',
      '127.64.64.0',
      '127.64.127.255',
      'x',
      '',
    ]) {
      assert.match(addresses.allocate(`p${foreign}`, foreign), /^127\.42\.1\.\d+$/);
    }
    assert.equal(addresses.allocate('far', '127.64.65.3'), '127.64.65.3');
  });

  it('go on beyond the /24 in a /18 of its own, and come back to it', () => {
    const addresses = new Addresses(planOf(255));
    for (let pod = 0; pod < 252; pod++) addresses.allocate(`p${pod}`);
    assert.equal(addresses.allocate('253rd'), '127.127.192.1');
    addresses.release('p7');
    assert.equal(addresses.allocate('later'), '127.42.255.9');
    assert.equal(addresses.allocate('254th'), '127.127.192.2');
  });

  it('are never those of another subnet', () => {
    const all = [0, 1, 2, 254, 255].flatMap((number) => {
      const plan = planOf(number);
      return plan.ranges.flatMap(([first, last]) => [plan.address(first), plan.address(last)]);
    });
    assert.equal(new Set(all).size, all.length);
    assert.equal(all.at(-1), '127.127.255.254');
  });

  it('run out with words that say what to do', () => {
    const addresses = new Addresses(planOf(0));
    for (let pod = 0; pod < 252 + 16_382; pod++) addresses.allocate(`p${pod}`);
    assert.throws(() => addresses.allocate('one more'), { code: 'NODE_ADDRESSES_EXHAUSTED', message: /all 16634 / });
    addresses.release('p7');
    assert.equal(addresses.allocate('one more'), '127.42.0.9');
  });
});

describe('sockets', () => {
  it('let two pods have the same port on addresses of their own', async () => {
    const { listeners, open } = fakeListeners();
    await using network = createStandaloneNetwork(subnet, listeners);
    for (const uid of ['a', 'b']) {
      const { listeners: bound, problems } = network.bind(podOf(uid, [{ name: 'http', containerPort: 8080 }]));
      assert.deepEqual(problems, []);
      assert.equal(bound.get('main')?.[0]?.name, 'http');
    }
    assert.deepEqual([...open.values()], ['127.42.1.2:8080', '127.42.1.3:8080']);
    network.release('a');
    assert.deepEqual([...open.values()], ['127.42.1.3:8080']);
  });

  it('are bound once, however often it is asked', async () => {
    const { listeners, open } = fakeListeners();
    await using network = createStandaloneNetwork(subnet, listeners);
    const pod = podOf('a', [{ containerPort: 8080 }]);
    assert.deepEqual(network.bind(pod).listeners.get('main'), network.bind(pod).listeners.get('main'));
    assert.equal(open.size, 1);
  });

  it('of one address conflict, and say so', async () => {
    const { listeners } = fakeListeners();
    await using network = createJoinedNetwork('10.0.0.5', listeners);
    network.bind(podOf('a', [{ containerPort: 8080 }]));
    const { problems } = network.bind(podOf('b', [{ containerPort: 8080 }, { containerPort: 8081 }]));
    assert.deepEqual(
      problems.map(({ kind, message }) => [kind, message]),
      [['taken', 'port 8080 on 10.0.0.5 is taken by another process or pod']],
    );
  });

  it('of low ports name the setting that keeps them away', async () => {
    const { listeners } = fakeListeners();
    await using network = createStandaloneNetwork(subnet, listeners);
    const [problem] = network.bind(podOf('a', [{ containerPort: 80 }])).problems;
    assert.equal(problem?.kind, 'privileged');
    assert.match(problem?.message ?? '', /net\.ipv4\.ip_unprivileged_port_start to 80/);
  });

  it('that a sandbox kept are taken over, and not bound a second time', async () => {
    const { listeners, open } = fakeListeners();
    await using network = createStandaloneNetwork(subnet, listeners);
    const pod = podOf('a', [{ name: 'http', containerPort: 8080 }]);
    const address = network.allocate(pod);
    network.adopt('a', [{ name: 'http', address, port: 8080, fd: 99 }]);
    assert.equal(network.bind(pod).listeners.get('main')?.[0]?.fd, 99);
    assert.equal(open.size, 0);
  });

  it('are wanted for TCP, on the host too where the pod says so, never for UDP', () => {
    const ports = [
      { containerPort: 53, protocol: 'UDP' },
      { containerPort: 80, hostPort: 8080 },
      { containerPort: 81, hostPort: 8081, hostIP: '10.9.9.9' },
    ];
    assert.deepEqual(
      wantedPorts(podOf('a', ports), { podIP: '1.1.1.1', nodeAddress: '2.2.2.2' }).map(
        ({ address, port }) => `${address}:${port}`,
      ),
      ['1.1.1.1:80', '2.2.2.2:8080', '1.1.1.1:81', '10.9.9.9:8081'],
    );
  });

  it('of a pod on the host network are on the node, once', async () => {
    const { listeners, open } = fakeListeners();
    await using network = createStandaloneNetwork(subnet, listeners);
    network.bind(podOf('a', [{ containerPort: 8080, hostPort: 8080 }], { hostNetwork: true }));
    assert.deepEqual([...open.values()], ['127.42.1.1:8080']);
  });
});

describe('a subnet', { skip: !ffiAvailable() && 'needs node:ffi' }, () => {
  const folder = () => mkdtempSync(join(tmpdir(), 'wasmlet-subnet-'));

  it('is kept by its data directory, and no other directory gets it', () => {
    const [one, two] = [folder(), folder()];
    using first = openSubnet({ dataDir: one });
    using second = openSubnet({ dataDir: two });
    assert.notEqual(first.number, second.number);
    assert.equal(JSON.parse(readFileSync(join(one, 'config.json'), 'utf8')).subnet, first.number);
    first[Symbol.dispose]();
    using again = openSubnet({ dataDir: one });
    assert.equal(again.number, first.number);
    for (const path of [one, two]) rmSync(path, { recursive: true });
  });

  it('keeps what others wrote into config.json, and survives garbage in it', () => {
    const dataDir = folder();
    writeFileSync(join(dataDir, 'config.json'), '{"nodeName":"edge-1","subnet":"x"}');
    openSubnet({ dataDir })[Symbol.dispose]();
    assert.equal(JSON.parse(readFileSync(join(dataDir, 'config.json'), 'utf8')).nodeName, 'edge-1');
    writeFileSync(join(dataDir, 'config.json'), '{{{');
    openSubnet({ dataDir })[Symbol.dispose]();
    rmSync(dataDir, { recursive: true });
  });

  it("in which pods of a node that is gone still listen is nobody else's", () => {
    const dataDir = folder();
    using free = openSubnet({ dataDir: folder() });
    const table = Array.from(
      { length: 256 },
      (_, n) =>
        `  ${n}: 02${n.toString(16).padStart(2, '0').toUpperCase()}2A7F:0050 00000000:0000 ${n === 9 ? '01' : '0A'} 0:0\n`,
    );
    using only = openSubnet({ dataDir, sockets: () => table.join('') });
    assert.ok(only.number === 9 || free.number === 9);
  });
});

describe('listening()', () => {
  it('reads listening sockets of 127.42/16 and 127.64/10 and nothing else', () => {
    const table = [
      '  sl  local_address rem_address   st',
      '   0: 0205 2A7F:1F90 00000000:0000 0A',
      '   1: 02052A7F:1F90 00000000:0000 0A 00000000:00000000',
      '   2: 03062A7F:1F90 0100007F:C000 01 00000000:00000000',
      '   3: 0100007F:1F90 00000000:0000 0A 00000000:00000000',
      '   4: 01C0407F:1F90 00000000:0000 0A 00000000:00000000',
      '   5: FFFF7F7F:1F90 00000000:0000 0A 00000000:00000000',
      '   6: FFFF807F:1F90 00000000:0000 0A 00000000:00000000',
      '',
    ].join('\n');
    assert.deepEqual([...listening(table)], [5, 3, 255]);
    assert.deepEqual([...listening('garbage \0 0A')], []);
  });
});
