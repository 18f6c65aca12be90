/** From a registry's refusal to a code and a sentence. */
import { type OciErrorCode, ociError } from './errors.ts';
import type { HttpResponse } from './http/request.ts';
import { isObject } from './manifest.ts';

export interface Refused {
  /** What was asked for, for the sentence. */
  readonly what: string;
  readonly registry: string;
  readonly verb?: 'pull' | 'push';
}

const MAX_ERROR_BODY = 64 << 10;

/** Reads what the registry says and makes the error; never throws itself. */
export async function failure(response: HttpResponse, { what, registry, verb = 'pull' }: Refused): Promise<Error> {
  const said = await saidBy(response);
  const { code, state, hint } = meaningOf(response.status);
  const more = said === '' ? '' : ` (${said})`;
  return ociError(code, `Cannot ${verb} ${what}: registry ${registry} ${state}${more}`, { hint });
}

/** Milliseconds to wait as Retry-After says, seconds or a date; one second if it says nothing. */
export function retryAfterOf(response: HttpResponse, now: number): number {
  const text = response.header('retry-after')?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? 1000 : Math.max(0, at - now);
}

interface Meaning {
  readonly code: OciErrorCode;
  readonly state: string;
  readonly hint: string;
}

function meaningOf(status: number): Meaning {
  switch (status) {
    case 401:
      return {
        code: 'OCI_UNAUTHORIZED',
        state: 'asks for credentials, or refused those it got (401)',
        hint: 'Log in with `docker login`, or give the pod an imagePullSecret for this registry',
      };
    case 403:
      return {
        code: 'OCI_DENIED',
        state: 'denies access (403)',
        hint: 'The credentials are known and have no right to this repository',
      };
    case 404:
      return {
        code: 'OCI_NOT_FOUND',
        state: 'does not have it (404)',
        hint: 'Check the name and the tag; a private repository may look like this too',
      };
    case 429:
      return {
        code: 'OCI_TOO_MANY_REQUESTS',
        state: 'is asked too often (429)',
        hint: 'It is tried again later; credentials often raise the limit',
      };
    default:
      if (status >= 500)
        return {
          code: 'OCI_SERVER_ERROR',
          state: `failed (${status})`,
          hint: 'The registry has a problem of its own; it is tried again',
        };
      return { code: 'OCI_BAD_RESPONSE', state: `answered ${status}`, hint: 'Check that a registry answers there' };
  }
}

/** `errors[].message` of the specification, or nothing; bounded, printable, one line. */
async function saidBy(response: HttpResponse): Promise<string> {
  if (!/json/.test(response.header('content-type') ?? '')) {
    await response.body.discard();
    return '';
  }
  try {
    const document: unknown = JSON.parse(
      Buffer.from(await response.body.bytes(MAX_ERROR_BODY, 'the refusal')).toString('utf8'),
    );
    const errors = isObject(document) && Array.isArray(document['errors']) ? document['errors'] : [];
    const words = errors.slice(0, 3).map((error: unknown) => (isObject(error) ? error['message'] : undefined));
    const text = words.filter((word) => typeof word === 'string').join('; ');
    return text.replace(/[^\x20-\x7e]/g, ' ').slice(0, 300);
  } catch {
    return '';
  }
}
