import { run, which } from '../processes/command.ts';
import { isRoot, type Step, type Variables } from './step.ts';

interface Packages {
  readonly name: string;
  readonly what: string;
  readonly packages: readonly string[];
  /** A command of each package, and the variable that tells its path. */
  readonly commands: Readonly<Record<string, string | undefined>>;
  readonly size: string;
}

/** A step that installs Debian packages, done when their commands are there. */
export function aptStep({ name, what, packages, commands, size }: Packages): Step {
  return {
    name,
    what: `${what} (Debian: ${packages.join(' ')})`,
    size,
    minutes: 1,
    obstacle() {
      if (which('apt-get') === undefined) return `no apt-get here to install ${packages.join(' ')}`;
      return isRoot() ? undefined : `needs root to install ${packages.join(' ')}`;
    },
    present() {
      const variables: Record<string, string> = {};
      for (const [command, variable] of Object.entries(commands)) {
        const path = which(command);
        if (path === undefined) return undefined;
        if (variable !== undefined) variables[variable] = path;
      }
      return variables satisfies Variables;
    },
    async install({ log, signal }) {
      await update({ log, signal });
      await apt(['install', '-y', '--no-install-recommends', ...packages], { log, signal });
    },
  };
}

let updated: Promise<void> | undefined;

/** Once a run, however many steps install packages. */
function update(options: { log: (text: string) => void; signal?: AbortSignal | undefined }): Promise<void> {
  updated ??= apt(['update'], options);
  return updated;
}

async function apt(
  args: readonly string[],
  { log, signal }: { log: (text: string) => void; signal?: AbortSignal | undefined },
): Promise<void> {
  // RUNLEVEL=1 keeps a package's own service from being started: the tests start what they need themselves.
  const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  await run(['apt-get', '-q', '-o', 'DPkg::Lock::Timeout=300', ...args], { env, log, signal });
}
