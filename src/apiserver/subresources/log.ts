/** `kubectl logs`: the node's own answer, passed on. Source: `pkg/registry/core/pod/strategy.go` LogLocation. */
import { messageOf } from '#kit';
import type { Container, PodSpec } from '#kube/types';
import { type Api, type ObjectAddress, placeOf } from '../rest/api.ts';
import type { ApiRequest, Reply, Sink } from '../rest/request.ts';
import { badRequest, internalError, notFound, StatusError } from '../status.ts';
import type { ApiObject } from '../surface.ts';
import { addressOf } from './kubelet.ts';

const PASSED_ON = [
  'follow',
  'previous',
  'sinceSeconds',
  'sinceTime',
  'timestamps',
  'tailLines',
  'limitBytes',
  'stream',
];
const MAX_ERROR = 4096;

export async function logReply(api: Api, address: ObjectAddress, { query, signal }: ApiRequest): Promise<Reply> {
  const entry = api.store.get(placeOf(address));
  if (entry === undefined) throw notFound(address.kind, address.name);
  const container = containerOf(entry.value, query.get('container') ?? '');
  const node = (entry.value['spec'] as PodSpec).nodeName ?? '';
  if (node === '') return { status: 200, contentType: 'text/plain', body: '' };
  const passed = new URLSearchParams([...query].filter(([key]) => PASSED_ON.includes(key)));
  const names = [address.namespace, address.name, container].map(encodeURIComponent).join('/');
  const path = `/containerLogs/${names}${passed.size === 0 ? '' : `?${passed}`}`;
  const at = addressOf(api, node);
  const answer = await api.kubelet.get(at, path, { signal }).catch((error: unknown) => {
    throw internalError(`Get "https://${at.host}:${at.port}${path}": ${messageOf(error)}`);
  });
  if (answer.statusCode !== 200) throw await refusalOf(answer);
  return {
    status: 200,
    contentType: answer.headers['content-type'] ?? 'text/plain',
    body: (sink) => passOn(answer, sink),
  };
}

async function passOn(answer: AsyncIterable<Uint8Array>, sink: Sink): Promise<void> {
  for await (const bytes of answer) if (!sink.write(bytes)) await sink.drained();
}

async function refusalOf(
  answer: AsyncIterable<Uint8Array> & { statusCode?: number | undefined },
): Promise<StatusError> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const bytes of answer) {
    parts.push(bytes);
    size += bytes.length;
    if (size > MAX_ERROR) break;
  }
  const text = Buffer.concat(parts).subarray(0, MAX_ERROR).toString('utf8').trim();
  const code = answer.statusCode ?? 500;
  const reasons: Readonly<Record<number, string>> = {
    400: 'BadRequest',
    401: 'Unauthorized',
    403: 'Forbidden',
    404: 'NotFound',
  };
  return new StatusError(code, reasons[code] ?? 'InternalError', text === '' ? `the node answered ${code}` : text);
}

function containerOf(pod: ApiObject, asked: string): string {
  const spec = pod['spec'] as PodSpec;
  const name = pod.metadata.name ?? '';
  const others = [...(spec.initContainers ?? []), ...((spec.ephemeralContainers ?? []) as Container[])];
  const all = [...spec.containers, ...others].map((container) => container.name);
  if (asked !== '') {
    if (!all.includes(asked)) throw badRequest(`container ${asked} is not valid for pod ${name}`);
    return asked;
  }
  const [only, ...more] = spec.containers.map((container) => container.name);
  if (only !== undefined && more.length === 0) return only;
  const init = (spec.initContainers ?? []).map((container) => container.name);
  const choices = `a container name must be specified for pod ${name}, choose one of: [${[only, ...more].join(' ')}]`;
  throw badRequest(init.length === 0 ? choices : `${choices} or one of the init containers: [${init.join(' ')}]`);
}
