/** Pods of all kinds. Each notes on its volume that it has started, and that it is done: what is compared with what the API says. */
import type { Pod } from '../../src/kube/types/mod.ts';
import type { Random } from '../fuzz/fuzzer.ts';

export type Kind = 'ticker' | 'server' | 'spinner' | 'logger' | 'isolated' | 'flaky' | 'job' | 'failing';

export interface Made {
  readonly name: string;
  readonly namespace: string;
  readonly kind: Kind;
}

interface Shape {
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never';
  readonly steps: (random: Random) => string;
  readonly more?: object;
  readonly container?: object;
}

const STARTED = 'append /data/starts s ,';

const KINDS: Readonly<Record<Kind, Shape>> = {
  ticker: { restartPolicy: 'Always', steps: () => `${STARTED} tick 100` },
  server: {
    restartPolicy: 'Always',
    steps: () => `${STARTED} serve 3 here`,
    container: { ports: [{ containerPort: 8080 }] },
  },
  spinner: {
    restartPolicy: 'Always',
    steps: () => `${STARTED} loop`,
    container: { resources: { limits: { cpu: '50m', memory: '64Mi' } } },
  },
  logger: { restartPolicy: 'Always', steps: () => `${STARTED} tick 3` },
  isolated: {
    restartPolicy: 'Always',
    steps: () => `${STARTED} tick 100`,
    more: { runtimeClassName: 'wasmlet-isolated' },
  },
  flaky: { restartPolicy: 'OnFailure', steps: () => `${STARTED} sleep 700 , exit 1` },
  job: {
    restartPolicy: 'Never',
    steps: (random) => `${STARTED} sleep ${random.below(2500)} , append /data/done d , exit 0`,
  },
  failing: {
    restartPolicy: 'Never',
    steps: (random) => `${STARTED} sleep ${random.below(2500)} , append /data/done d , exit 3`,
  },
};

export const STANDING: readonly Kind[] = ['ticker', 'server', 'spinner', 'logger', 'isolated', 'flaky'];

export function endsByItself(kind: Kind): boolean {
  return kind === 'job' || kind === 'failing';
}

export function podOf(made: Made, { random, image }: { random: Random; image: string }): Pod {
  const { name, namespace, kind } = made;
  const { restartPolicy, steps, more = {}, container = {} } = KINDS[kind];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: {
      restartPolicy,
      terminationGracePeriodSeconds: 1,
      volumes: [{ name: 'data', emptyDir: {} }],
      containers: [
        {
          name: 'main',
          image,
          imagePullPolicy: 'Never' as const,
          args: steps(random).split(' '),
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
          ...container,
        },
      ],
      ...more,
    },
  };
}
