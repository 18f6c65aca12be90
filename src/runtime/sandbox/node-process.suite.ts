/**
 * A node process for tests that kill it: a runtime on a data directory, with workloads that it creates and starts.
 * `node node-process.suite.ts DATADIR` reads specs as JSON lines and says `started` after each.
 */
import { createInterface } from 'node:readline';
import type { WorkloadSpec } from '../contract.ts';
import { createRuntime } from './mod.ts';

const runtime = await createRuntime({ dataDir: process.argv.at(-1) ?? '', warm: 0 });
for await (const line of createInterface({ input: process.stdin })) {
  const spec = JSON.parse(line) as WorkloadSpec;
  await runtime.create(spec);
  await runtime.start(spec.id);
  process.stdout.write('started\n');
}
