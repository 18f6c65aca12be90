/** How long a registry may take, and what is said when a connection fails. */
import { messageOf } from '#kit';
import { ociError } from '../errors.ts';

export interface Timeouts {
  /** Milliseconds until the connection stands and the head of the answer is there. */
  readonly answer: number;
  /** Milliseconds in which a body, or an upload, has to move by `minBytes`. */
  readonly stall: number;
  readonly minBytes: number;
}

export const DEFAULT_TIMEOUTS: Timeouts = { answer: 30_000, stall: 30_000, minBytes: 1024 };

export function tooSlow(url: URL, state: string): Error {
  return ociError('OCI_TIMED_OUT', `Cannot go on with registry ${url.host}: ${state}`, {
    hint: 'The registry or the network is too slow or stuck; it is tried again',
  });
}

export function transportError(url: URL, cause: unknown): Error {
  const code = String((cause as { code?: unknown }).code ?? '');
  if (/CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code)) {
    return ociError('OCI_TLS', `Cannot trust registry ${url.host}: ${messageOf(cause)}`, {
      cause,
      hint: `Put its authority's certificate into /etc/docker/certs.d/${url.host}/ca.crt`,
    });
  }
  if (/^ERR_SSL|^EPROTO/.test(code)) {
    return ociError('OCI_TLS', `Cannot speak TLS with registry ${url.host}: ${messageOf(cause)}`, {
      cause,
      hint: `If it serves plain http, name it: --insecure-registry ${url.host}`,
    });
  }
  if (/^HPE_/.test(code)) {
    return ociError('OCI_BAD_RESPONSE', `Cannot read the answer of registry ${url.host}: it is not HTTP`, { cause });
  }
  const hint =
    code === 'ENOTFOUND' || code === 'EAI_AGAIN'
      ? 'The name does not resolve: check the spelling of the image and the name servers of this machine'
      : 'Check that the registry runs and that this machine reaches it';
  return ociError('OCI_UNREACHABLE', `Cannot reach registry ${url.host}: ${messageOf(cause) || code}`, { cause, hint });
}
