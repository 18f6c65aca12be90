import type { NamespaceSpec, NamespaceStatus } from '#kube/types';
import { restore } from '../rest/restore.ts';
import type { Strategy } from './mod.ts';

/** Source: `pkg/registry/core/namespace/strategy.go`. */
export const namespaces: Strategy = {
  statusApart: true,
  returnsDeleted: true,
  prepareCreate(namespace) {
    const status: NamespaceStatus = { phase: 'Active' };
    const spec = (namespace['spec'] ?? {}) as NamespaceSpec;
    namespace['status'] = status;
    namespace['spec'] = { ...spec, finalizers: [...new Set([...(spec.finalizers ?? []), 'kubernetes'])] };
    const { metadata } = namespace;
    if (metadata.name !== undefined) {
      metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name };
    }
  },
  /** In the same turn: a pod that is applied right behind its namespace finds its service account. */
  afterCreate(namespace, { api }) {
    api.furnish(namespace.metadata.name ?? '');
  },
  prepareUpdate(namespace, old) {
    restore(namespace, old, 'spec');
    const { metadata } = namespace;
    metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name ?? '' };
  },
  subresources: {
    finalize(namespace, old) {
      restore(namespace, old, 'status');
    },
  },
};
