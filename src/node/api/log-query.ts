/** The query of `/containerLogs`. Source: core/v1 PodLogOptions, `pkg/apis/core/validation` ValidatePodLogOptions. */
import { fromTime } from '#kube';
import type { LogRequest } from '../contract.ts';
import { type ApiAnswer, textAnswer } from './answers.ts';

type Options = Omit<LogRequest, 'namespace' | 'pod' | 'container'>;

/** The options, or the answer that refuses them. `now` in milliseconds since the epoch. */
export function parseLogQuery(query: URLSearchParams, now: number): Options | ApiAnswer {
  const tail = query.get('tail');
  const numbers = {
    tailLines: wholeOf(tail === null ? query.get('tailLines') : tail === 'all' ? null : tail),
    limitBytes: wholeOf(query.get('limitBytes')),
    sinceSeconds: wholeOf(query.get('sinceSeconds')),
  };
  const sinceText = query.get('sinceTime');
  const sinceTime = sinceText === null || sinceText === '' ? undefined : (fromTime(sinceText) ?? 'bad');
  if (Object.values(numbers).includes('bad') || sinceTime === 'bad') {
    return textAnswer(400, '{"message": "Unable to decode query."}');
  }
  const { tailLines, limitBytes, sinceSeconds } = numbers as Record<keyof typeof numbers, number | undefined>;
  const twoStarts = sinceSeconds !== undefined && sinceTime !== undefined;
  if (below(tailLines, 0) || below(limitBytes, 1) || below(sinceSeconds, 1) || twoStarts) {
    return textAnswer(422, '{"message": "Invalid request."}');
  }
  const stream = query.get('stream');
  if (stream !== null && stream !== '' && stream !== 'All') {
    return textAnswer(400, `unable to return the given log stream: ${JSON.stringify(stream)}`);
  }
  return {
    follow: flagOf(query.get('follow')),
    previous: flagOf(query.get('previous')),
    timestamps: flagOf(query.get('timestamps')),
    tailLines,
    limitBytes,
    since: sinceSeconds === undefined ? sinceTime : now - sinceSeconds * 1000,
  };
}

/** Source: apimachinery `pkg/runtime/conversion.go`, Convert_Slice_string_To_bool: whatever is not false is true. */
function flagOf(value: string | null): boolean {
  return value !== null && !['false', '0'].includes(value.toLowerCase());
}

function wholeOf(value: string | null): number | undefined | 'bad' {
  if (value === null || value === '') return undefined;
  return /^-?\d{1,15}$/.test(value) ? Number(value) : 'bad';
}

function below(value: number | undefined, least: number): boolean {
  return value !== undefined && value < least;
}
