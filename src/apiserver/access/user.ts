/** Who asks. Source: apiserver `pkg/authentication/user`. */
export interface User {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export const ANONYMOUS: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] };
/** The server's own controllers. */
export const SELF: User = { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] };

const NODE = 'system:node:';

/** The name of the node that asks, undefined for anybody else. Source: `pkg/auth/nodeidentifier`. */
export function nodeNameOf(user: User): string | undefined {
  if (!user.name.startsWith(NODE) || !user.groups.includes('system:nodes')) return undefined;
  return user.name.slice(NODE.length);
}

export function isServiceAccount(user: User): boolean {
  return user.name.startsWith('system:serviceaccount:');
}
