/**
 * `node test/api/record.ts`: runs the scenarios of `script.ts` with kubectl against the real control plane and writes what
 * passed to `test/api/recorded/`. Run by hand when the Kubernetes version or the script moves; needs root and the
 * control plane (`npm test -- cluster` builds it).
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { startControlPlane } from '../cluster/start.ts';
import { currentNamespace, makeNamespace } from '../netns/namespace.ts';
import { run } from '../processes/command.ts';
import { controlPlaneBinary } from '../setup/control-plane.ts';
import type { Exchange, Recording } from './exchange.ts';
import { startRecorder } from './recorder.ts';
import { NAMESPACE, SCENARIOS, type Scenario } from './script.ts';

if (currentNamespace() === undefined) {
  await using namespace = await makeNamespace({ label: 'record' });
  const [file = '', ...args] = [...namespace.enter, process.execPath, ...process.argv.slice(1)];
  const env = { ...process.env, WASMLET_TEST_NAMESPACE: namespace.name };
  process.exitCode = spawnSync(file, args, { stdio: 'inherit', env }).status ?? 1;
} else {
  await record();
}

async function record(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'wasmlet-record-'));
  await using cluster = await startControlPlane({ dir });
  await cluster.kubectl(['create', 'namespace', NAMESPACE]);
  for (const wanted of ['serviceaccount/default', 'configmap/kube-root-ca.crt']) {
    await cluster.kubectl(['wait', '--for=create', wanted, '-n', NAMESPACE, '--timeout=60s']);
  }
  // What controllers do while kubectl asks would make two recordings differ.
  for (const part of ['kube-scheduler', 'kube-controller-manager'] as const)
    await cluster.parts[part].signal('SIGSTOP');
  const { admin, ca } = cluster.pki;
  const [authority, cert, key] = await Promise.all(
    [ca.certificate, admin.certificate, admin.key].map((path) => readFile(path)),
  );
  if (authority === undefined || cert === undefined || key === undefined)
    throw new Error('Cannot record: no certificates');
  await using recorder = await startRecorder({ server: cluster.server, ca: authority, cert, key });
  const kubectl = join(dirname(controlPlaneBinary()), 'kubectl');
  for (const scenario of SCENARIOS) {
    recorder.exchanges.length = 0;
    const home = await mkdtemp(join(dir, 'home-'));
    for (const { args, input } of scenario.steps) {
      recorder.step = args.join(' ');
      const argv = [kubectl, '--server', recorder.url, '--namespace', NAMESPACE, ...args];
      const text = input === undefined ? {} : { input: JSON.stringify(input) };
      const { code } = await run(argv, { accept: 'any', env: { HOME: home, KUBECONFIG: '/nonexistent' }, ...text });
      await new Promise((resolve) => setTimeout(resolve, 50));
      process.stdout.write(`${code} ${scenario.name}: ${recorder.step}\n`);
    }
    await keep(scenario, recorder.exchanges);
  }
  await rm(dir, { recursive: true, force: true });
}

async function keep({ name }: Scenario, exchanges: readonly Exchange[]): Promise<void> {
  const recording: Recording = { kubernetes: 'v1.35.4', kubectl: 'v1.35.4', exchanges };
  const path = new URL(`./recorded/${name}.json`, import.meta.url);
  const lines = recording.exchanges.map((exchange) => JSON.stringify(exchange, withoutSecrets)).join(',\n');
  const { exchanges: _, ...head } = recording;
  await writeFile(path, `${JSON.stringify(head).slice(0, -1)},"exchanges":[\n${lines}\n]}\n`);
}

/** A token of a cluster that is gone is no secret, but looks like one. */
function withoutSecrets(key: string, value: unknown): unknown {
  return key === 'token' ? 'a-token' : value;
}
