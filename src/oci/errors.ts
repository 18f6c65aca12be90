/** The codes of `oci`; docs/errors.md says what to do about each. */
import { defineErrors, type ErrorTable, WasmletError } from '#kit';

export type OciErrorCode =
  | 'OCI_BAD_REFERENCE'
  | 'OCI_BAD_CREDENTIALS'
  | 'OCI_UNREACHABLE'
  | 'OCI_TLS'
  | 'OCI_TIMED_OUT'
  | 'OCI_UNAUTHORIZED'
  | 'OCI_DENIED'
  | 'OCI_NOT_FOUND'
  | 'OCI_TOO_MANY_REQUESTS'
  | 'OCI_SERVER_ERROR'
  | 'OCI_BAD_RESPONSE'
  | 'OCI_BAD_REDIRECT'
  | 'OCI_WRONG_DIGEST'
  | 'OCI_WRONG_LENGTH'
  | 'OCI_TOO_LARGE'
  | 'OCI_BAD_MANIFEST'
  | 'OCI_NOT_WASM'
  | 'OCI_BAD_MODULE'
  | 'OCI_STORE';

export const OCI_ERRORS: ErrorTable<OciErrorCode> = {
  OCI_BAD_REFERENCE: { retry: 'never', blame: 'user' },
  OCI_BAD_CREDENTIALS: { retry: 'never', blame: 'user' },
  OCI_UNREACHABLE: { retry: 'later', blame: 'system' },
  OCI_TLS: { retry: 'never', blame: 'system' },
  OCI_TIMED_OUT: { retry: 'later', blame: 'system' },
  OCI_UNAUTHORIZED: { retry: 'never', blame: 'user' },
  OCI_DENIED: { retry: 'never', blame: 'user' },
  OCI_NOT_FOUND: { retry: 'never', blame: 'user' },
  OCI_TOO_MANY_REQUESTS: { retry: 'later', blame: 'system' },
  OCI_SERVER_ERROR: { retry: 'later', blame: 'system' },
  OCI_BAD_RESPONSE: { retry: 'later', blame: 'system' },
  OCI_BAD_REDIRECT: { retry: 'never', blame: 'system' },
  OCI_WRONG_DIGEST: { retry: 'later', blame: 'system' },
  OCI_WRONG_LENGTH: { retry: 'later', blame: 'system' },
  OCI_TOO_LARGE: { retry: 'never', blame: 'user' },
  OCI_BAD_MANIFEST: { retry: 'never', blame: 'user' },
  OCI_NOT_WASM: { retry: 'never', blame: 'user' },
  OCI_BAD_MODULE: { retry: 'never', blame: 'user' },
  OCI_STORE: { retry: 'later', blame: 'system' },
};

export const ociError = defineErrors(OCI_ERRORS);

/** An image that is there, and is nothing that this node runs. It stays so until its name points elsewhere. */
export class NotWasmError extends WasmletError {
  /** Digest of what the name points to; undefined as long as it is not known. */
  digest: string | undefined;

  constructor(message: string, hint: string) {
    super(message, { code: 'OCI_NOT_WASM', ...OCI_ERRORS.OCI_NOT_WASM, hint });
  }
}
