import { testRuntime } from '../contract.suite.ts';
import { makePlace } from '../scripted.suite.ts';
import { createRuntime } from './mod.ts';

testRuntime({
  name: 'the runtime over sandbox processes',
  async open() {
    const place = makePlace();
    const runtime = await createRuntime({ dataDir: place.dataDir });
    return {
      runtime,
      dataDir: place.dataDir,
      async [Symbol.asyncDispose]() {
        for (const { tenant } of runtime.sandboxes()) {
          if (tenant !== undefined) await runtime.release({ tenant, isolation: 'tenant' });
        }
        await runtime[Symbol.asyncDispose]();
        await place[Symbol.asyncDispose]();
      },
    };
  },
});
