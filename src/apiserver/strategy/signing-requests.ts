import type {
  CertificateSigningRequestCondition,
  CertificateSigningRequestSpec,
  CertificateSigningRequestStatus,
} from '#kube/types';
import { nowOf } from '../rest/api.ts';
import { restore } from '../rest/restore.ts';
import type { ApiObject } from '../surface.ts';
import type { Strategy, StrategyContext } from './mod.ts';

/** Source: `pkg/registry/certificates/certificates/strategy.go`. */
export const signingRequests: Strategy = {
  statusApart: true,
  prepareCreate(request, { user }) {
    const spec = (request['spec'] ?? {}) as CertificateSigningRequestSpec;
    const { uid: _, extra: __, ...rest } = spec;
    const extra = user.extra === undefined ? {} : { extra: user.extra };
    const uid = user.uid === undefined ? {} : { uid: user.uid };
    request['spec'] = { ...rest, username: user.name, groups: [...user.groups], ...uid, ...extra };
    request['status'] = {};
  },
  prepareUpdate(request, old) {
    restore(request, old, 'spec');
  },
  subresources: {
    /** Approved and Denied come here; the certificate and Failed come by status. */
    approval(request, old, context) {
      restore(request, old, 'spec');
      const before = (old['status'] ?? {}) as CertificateSigningRequestStatus;
      const wanted = (request['status'] ?? {}) as CertificateSigningRequestStatus;
      request['status'] = { ...before, conditions: stamped(wanted.conditions ?? [], context) };
    },
    status(request, old, context) {
      restore(request, old, 'spec');
      const wanted = (request['status'] ?? {}) as CertificateSigningRequestStatus;
      const decided = conditionsOf(old).filter(({ type }) => type === 'Approved' || type === 'Denied');
      const others = (wanted.conditions ?? []).filter(({ type }) => type !== 'Approved' && type !== 'Denied');
      request['status'] = { ...wanted, conditions: stamped([...decided, ...others], context) };
    },
  },
};

function conditionsOf(request: ApiObject): readonly CertificateSigningRequestCondition[] {
  return (request['status'] as CertificateSigningRequestStatus | undefined)?.conditions ?? [];
}

function stamped(
  conditions: readonly CertificateSigningRequestCondition[],
  { api }: StrategyContext,
): CertificateSigningRequestCondition[] {
  const now = nowOf(api);
  return conditions.map((condition) => ({
    ...condition,
    lastUpdateTime: condition.lastUpdateTime ?? now,
    lastTransitionTime: condition.lastTransitionTime ?? now,
  }));
}
