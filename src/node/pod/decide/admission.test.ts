import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Container, PodSpec } from '#kube/types';
import { admit } from './admission.ts';

function found(container: Partial<Container>, spec: Partial<PodSpec> = {}) {
  return admit({ spec: { containers: [{ name: 'c', ...container }], ...spec } });
}

describe('admit()', () => {
  it('has nothing to say of a plain pod', () => {
    assert.deepEqual(found({ image: 'x', ports: [{ containerPort: 80 }], resources: { limits: { memory: '1Mi' } } }), {
      rejected: undefined,
      sandbox: undefined,
      notices: [],
    });
  });

  const left: [string, Partial<Container>, Partial<PodSpec>][] = [
    ['spec.containers{c}.livenessProbe', { livenessProbe: { tcpSocket: { port: 80 } } }, {}],
    ['spec.containers{c}.lifecycle', { lifecycle: { preStop: { sleep: { seconds: 1 } } } }, {}],
    ['spec.containers{c}.tty', { tty: true }, {}],
    [
      'spec.containers{c}.ports with a protocol other than TCP',
      { ports: [{ containerPort: 53, protocol: 'UDP' }] },
      {},
    ],
    ['spec.containers{c}.securityContext.privileged', { securityContext: { privileged: true } }, {}],
    [
      'spec.containers{c}.securityContext.capabilities.add',
      { securityContext: { capabilities: { add: ['NET_ADMIN'] } } },
      {},
    ],
    ['spec.hostPID', {}, { hostPID: true }],
    ['spec.securityContext.fsGroup', {}, { securityContext: { fsGroup: 1 } }],
    ['spec.volumes.emptyDir.medium', {}, { volumes: [{ name: 'v', emptyDir: { medium: 'Memory' } }] }],
    ['spec.volumes.emptyDir.sizeLimit', {}, { volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Mi' } }] }],
  ];
  for (const [words, container, spec] of left) {
    it(`says that ${words} is left out`, () => assert.deepEqual(found(container, spec).notices, [words]));
  }

  it('rejects a pod for another operating system, and one that asks for sysctls', () => {
    assert.equal(found({}, { os: { name: 'windows' } }).rejected?.reason, 'PodOSNotSupported');
    const sysctls = [{ name: 'kernel.shm_rmid_forced', value: '1' }];
    assert.equal(found({}, { securityContext: { sysctls } }).rejected?.reason, 'SysctlForbidden');
  });

  it('keeps a pod waiting that asks for block devices or resource claims', () => {
    assert.match(found({ volumeDevices: [{ name: 'd', devicePath: '/dev/x' }] }).sandbox ?? '', /volumeDevices/);
    assert.match(found({}, { resourceClaims: [{ name: 'r' }] }).sandbox ?? '', /resourceClaims/);
  });
});
