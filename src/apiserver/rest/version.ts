/** The Kubernetes release whose API this is. */
export const KUBERNETES_VERSION = 'v1.35.4';
