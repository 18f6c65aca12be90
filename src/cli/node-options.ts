/** From a node command's flags to the node's options; wrong values end as usage errors before anything is started. */
import { hostname } from 'node:os';
import { type Log, VERSION } from '#kit';
import type { Taint } from '#kube/types';
import type { NodeOptions } from '#node';
import type { Arguments, Context } from './command.ts';
import { dataDirOf } from './data-dir.ts';
import { cliError } from './errors.ts';

type Common = Pick<
  NodeOptions,
  | 'name'
  | 'dataDir'
  | 'hostname'
  | 'labels'
  | 'maxPods'
  | 'insecureRegistries'
  | 'insecureTrustedGuests'
  | 'sandboxes'
  | 'version'
  | 'log'
  | 'signal'
>;

export function commonOptions(context: Context, args: Arguments, { log = context.log }: { log?: Log } = {}): Common {
  const maxPods = args.value('max-pods');
  return {
    name: args.value('node-name') ?? hostname().toLowerCase(),
    hostname: hostname(),
    dataDir: dataDirOf(context, args),
    labels: labelsOf(args.value('node-labels') ?? ''),
    insecureRegistries: args.values('insecure-registry'),
    insecureTrustedGuests: args.has('insecure-trusted-guests'),
    sandboxes: sandboxOptions(args),
    ...(maxPods === undefined ? {} : { maxPods: Number(maxPods) }),
    version: VERSION,
    log,
    signal: context.signal,
  };
}

function sandboxOptions(args: Arguments): NonNullable<NodeOptions['sandboxes']> {
  const number = (flag: string): number | undefined => {
    const given = args.value(flag);
    return given === undefined ? undefined : Number(given);
  };
  return {
    perNamespace: number('namespace-sandboxes'),
    mostOwnProcesses: number('max-own-processes'),
    warm: number('warm-sandboxes'),
    walls: wallsOf(args.value('walls')),
  };
}

const WALLS: readonly string[] = ['no_new_privs', 'landlock', 'seccomp', 'uid', 'cgroup'];

/** `landlock,seccomp`; `none` for none. */
export function wallsOf(text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined;
  if (text === 'none') return [];
  const names = text.split(',');
  const unknown = names.find((name) => !WALLS.includes(name));
  if (unknown === undefined) return names;
  // Also the empty text, and 'none' beside a wall: nobody drops a wall by an unset variable or a slip.
  throw cliError('CLI_USAGE', `Cannot demand the wall '${unknown}'`, {
    hint: `Write ${WALLS.join(', ')} with commas, or none alone.`,
  });
}

export function labelsOf(text: string): Record<string, string> {
  const pairs = text.split(',').filter((part) => part !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1)
        throw cliError('CLI_USAGE', `Cannot read the label '${pair}'`, {
          hint: 'Write labels as key=value,key=value.',
        });
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

/** `key=value:Effect,key:Effect`, as the kubelet's flag of the name; the empty text is no taint. */
export function taintsOf(text: string): Taint[] {
  return text
    .split(',')
    .filter((part) => part !== '')
    .map((part) => {
      const [, key = '', value, effect = ''] = /^([^=:]+)(?:=([^:]*))?:(\w+)$/.exec(part) ?? [];
      if (!EFFECTS.includes(effect)) {
        throw cliError('CLI_USAGE', `Cannot read the taint '${part}'`, {
          hint: `Write it as key=value:${EFFECTS.join('|')}.`,
        });
      }
      return { key, effect, ...(value === undefined ? {} : { value }) };
    });
}

/** Resolves at the first SIGINT or SIGTERM. */
export function untilStopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
