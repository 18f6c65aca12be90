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
  KUBE_BAD_RESPONSE: { status: 502, exit: 5 },
  KUBE_CONFIG_INVALID: { exit: 2 },
  KUBE_CONFIG_UNREADABLE: { exit: 3 },
  KUBE_SELECTOR_INVALID: { exit: 2 },
  OCI_BAD_REFERENCE: { reason: 'InvalidImageName', exit: 2 },
  OCI_BAD_CREDENTIALS: { reason: 'ErrImagePull', exit: 2 },
  OCI_UNREACHABLE: { reason: 'RegistryUnavailable', exit: 5 },
  OCI_TLS: { reason: 'ErrImagePull', exit: 5 },
  OCI_TIMED_OUT: { reason: 'RegistryUnavailable', exit: 6 },
  OCI_UNAUTHORIZED: { reason: 'ErrImagePull', exit: 4 },
  OCI_DENIED: { reason: 'ErrImagePull', exit: 4 },
  OCI_NOT_FOUND: { reason: 'ErrImagePull', exit: 3 },
  OCI_TOO_MANY_REQUESTS: { reason: 'ErrImagePull', exit: 5 },
  OCI_SERVER_ERROR: { reason: 'RegistryUnavailable', exit: 5 },
  OCI_BAD_RESPONSE: { reason: 'ErrImagePull', exit: 5 },
  OCI_BAD_REDIRECT: { reason: 'ErrImagePull', exit: 5 },
  OCI_WRONG_DIGEST: { reason: 'ErrImagePull', exit: 1 },
  OCI_WRONG_LENGTH: { reason: 'ErrImagePull', exit: 1 },
  OCI_TOO_LARGE: { reason: 'ErrImagePull', exit: 1 },
  OCI_BAD_MANIFEST: { reason: 'ErrImagePull', exit: 1 },
  OCI_NOT_WASM: { reason: 'ErrImagePull', exit: 1 },
  OCI_BAD_MODULE: { exit: 2 },
  OCI_STORE: { reason: 'ErrImagePull', exit: 1 },
  NODE_DATA_DIR_IN_USE: { exit: 1 },
  NODE_OPTION_INVALID: { exit: 2 },
  NODE_CERTIFICATE_DENIED: { exit: 4 },
  NODE_POD_UNKNOWN: { status: 404 },
  NODE_CONTAINER_UNKNOWN: { status: 404 },
  NODE_LOG_UNAVAILABLE: { status: 400 },
  POD_CONFIG_INVALID: { reason: 'CreateContainerConfigError' },
  POD_RUNTIME_CLASS_UNKNOWN: { reason: 'FailedCreatePodSandBox' },
  POD_VOLUME_UNSUPPORTED: { reason: 'FailedMount' },
  POD_VOLUME_FAILED: { reason: 'FailedMount' },
  POD_PORTS_NOT_BOUND: { reason: 'CreateContainerError' },
  POD_MODULE_REFUSED: { reason: 'CreateContainerError' },
  RUNTIME_BAD_SPEC: { reason: 'CreateContainerConfigError', exit: 2 },
  RUNTIME_CREATE_FAILED: { reason: 'CreateContainerError' },
  RUNTIME_SANDBOX_FAILED: { reason: 'CreateContainerError' },
  RUNTIME_SANDBOX_GONE: { reason: 'CreateContainerError' },
  RUNTIME_NO_WALLS: { reason: 'CreateContainerError' },
  RUNTIME_TOO_MANY_PROCESSES: { reason: 'CreateContainerError' },
  RUNTIME_FULL: { reason: 'CreateContainerError' },
  RUNTIME_TIMEOUT: { reason: 'CreateContainerError', exit: 6 },
  MODULE_NOT_WASM: { reason: 'ErrImagePull', exit: 126 },
  MODULE_COMPONENT: { reason: 'ErrImagePull', exit: 126 },
  MODULE_CORRUPT: { reason: 'CreateContainerError', exit: 126 },
  MODULE_MISSING_IMPORT: { reason: 'CreateContainerError', exit: 126 },
  MODULE_RESERVED_NAME: { reason: 'CreateContainerError', exit: 126 },
  MODULE_NOT_GRANTED: { reason: 'CreateContainerConfigError', exit: 126 },
  MODULE_NO_ENTRYPOINT: { reason: 'CreateContainerError', exit: 126 },
  MODULE_TOO_LARGE: { reason: 'CreateContainerError', exit: 126 },
  MODULE_STALLED: { reason: 'CreateContainerError', exit: 125 },
  WASI_BAD_MODULE: { exit: 126 },
  WASI_MISSING_IMPORT: { exit: 126 },
  WASI_NO_ENTRYPOINT: { exit: 126 },
  WASI_BAD_OPTION: { exit: 2 },
  CLI_USAGE: { exit: 2 },
  CLI_BAD_MANIFEST: { exit: 2 },
  CLI_NO_NODE: { exit: 3 },
  CLI_NOT_FOUND: { exit: 3 },
  CLI_TIMEOUT: { exit: 6 },
  CLI_FAILED: { exit: 1 },
};

export function outcomeOf(code: string): Outcome {
  return OUTCOMES[code] ?? {};
}
