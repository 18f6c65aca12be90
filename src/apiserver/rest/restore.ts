/** Taking back a change. Apart from the writing itself, as strategies use it and the writing uses them. */
import type { ApiObject } from '../surface.ts';

export function restore(object: ApiObject, old: ApiObject, field: string): void {
  if (old[field] === undefined) delete object[field];
  else object[field] = old[field];
}
