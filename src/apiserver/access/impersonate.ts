import type { IncomingHttpHeaders } from 'node:http2';
import { StatusError } from '../status.ts';
import type { User } from './user.ts';

/** `kubectl --as`: an administrator may ask as somebody else. Source: apiserver `pkg/endpoints/filters/impersonation.go`. */
export function impersonated(user: User, headers: IncomingHttpHeaders): User {
  const name = one(headers['impersonate-user']);
  const groups = many(headers['impersonate-group']);
  if (name === '') {
    if (groups.length === 0 && headers['impersonate-uid'] === undefined) return user;
    throw new StatusError(400, 'BadRequest', 'requested [{Group}] without impersonating a user');
  }
  if (!user.groups.includes('system:masters')) {
    const why = `User ${JSON.stringify(user.name)} cannot impersonate resource "users" in API group "" at the cluster scope`;
    const message = `users ${JSON.stringify(name)} is forbidden: ${why}`;
    throw new StatusError(403, 'Forbidden', message, { name, kind: 'users' });
  }
  const account = /^system:serviceaccount:([^:]+):[^:]+$/.exec(name);
  const own =
    account === null || groups.length > 0 ? [] : ['system:serviceaccounts', `system:serviceaccounts:${account[1]}`];
  return { name, groups: [...new Set([...groups, ...own, 'system:authenticated'])] };
}

function one(value: string | string[] | undefined): string {
  return many(value)[0] ?? '';
}

/** Node joins repeated headers with a comma; a group's name has none. */
function many(value: string | string[] | undefined): string[] {
  return [value ?? []]
    .flat()
    .flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '');
}
