/**
 * The one place where error codes become what others read: a container's waiting reason, an HTTP status, an exit code.
 * A test holds it against the codes of every room. A code without a row is nobody's but the log's: it becomes the defaults.
 */
export interface Outcome {
  /** Waiting reason of a container or reason of an event. Source: kubelet `pkg/kubelet/images`, `pkg/kubelet/kuberuntime`. */
  readonly reason?: string;
  /** HTTP status of our own servers. */
  readonly status?: number;
  /** Exit code of a command; see docs/names.md. */
  readonly exit?: number;
}

export const OUTCOMES: Readonly<Record<string, Outcome>> = {
  KUBE_UNREACHABLE: { status: 502, exit: 5 },
  KUBE_TIMEOUT: { status: 504, exit: 6 },
  KUBE_CONFIG_INVALID: { exit: 2 },
  KUBE_CONFIG_UNREADABLE: { exit: 3 },
};

export function outcomeOf(code: string): Outcome {
  return OUTCOMES[code] ?? {};
}
