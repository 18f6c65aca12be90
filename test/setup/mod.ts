import { aptStep } from './apt.ts';
import { controlPlane } from './control-plane.ts';
import { go } from './go.ts';
import { kubectl } from './kubectl.ts';
import type { Step } from './step.ts';
import { zig } from './zig.ts';

/** Everything that a group of test/groups.ts can need, in the order in which it is done: the quick ones first. */
export const steps: readonly Step[] = [
  aptStep({
    name: 'python',
    what: 'Python with pip, unpacks what comes from PyPI',
    packages: ['python3', 'python3-pip'],
    commands: { python3: undefined, pip3: undefined },
    size: '20 MB',
  }),
  aptStep({
    name: 'network',
    what: 'network namespaces, certificates and requests by hand',
    packages: ['iproute2', 'util-linux', 'openssl', 'curl'],
    commands: { ip: undefined, nsenter: undefined, openssl: undefined, curl: undefined },
    size: '5 MB',
  }),
  aptStep({
    name: 'registry',
    what: 'a registry, and skopeo to push to it',
    packages: ['docker-registry', 'skopeo', 'openssl'],
    commands: {
      'docker-registry': 'WASMLET_TEST_REGISTRY',
      skopeo: 'WASMLET_TEST_SKOPEO',
      openssl: undefined,
    },
    size: '60 MB',
  }),
  kubectl(32, '2.1.0'),
  kubectl(35, '2.2.2'),
  kubectl(36, '2.0.1'),
  zig,
  go,
  controlPlane,
];
