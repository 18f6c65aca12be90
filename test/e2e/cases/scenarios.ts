/** What users of earlier systems have in their hands, unchanged but for the registry in the image's name: examples/. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventsOf, logsOf, phase, remove, statusOf, until, type World } from '../world.ts';

const EXAMPLES = fileURLToPath(new URL('../../../examples', import.meta.url));

export function scenarioCases(world: () => World): void {
  it("Krustlet's hello: a wasi_unstable program in wasm-to-oci's format, in a pod that tolerates the architecture", async () => {
    const name = 'hello-world-wasi-unstable';
    const manifest = readFileSync(join(EXAMPLES, 'krustlet-hello', 'pod.yaml'), 'utf8');
    assert.ok(manifest.includes(`image: localhost:5000/${name}:v1`));
    const input = manifest.replace(`localhost:5000/${name}:v1`, world().image('krustlet-hello'));
    await world().kubectl(['apply', '-f', '-'], { input });
    const pod = await until(world(), name, phase('Succeeded'));
    assert.equal(statusOf(pod, 'hello').state?.terminated?.reason, 'Completed');
    const lines = (await logsOf(world(), name)).trim().split('\n');
    assert.deepEqual(lines.sort(), ['hello from stderr!', 'hello from stdout!']);
    const events = await eventsOf(world(), name);
    assert.ok(
      events.some(({ reason, message }) => reason === 'Scheduled' && message.includes(pod.spec?.nodeName ?? '?')),
      JSON.stringify(events),
    );
    await remove(world(), name);
  });
}
