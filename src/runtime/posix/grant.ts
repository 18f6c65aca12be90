/** What a module needs of what is granted, and the refusal where it is not. Deny by default: the words are the pod's to say. */
import type { Verdict } from '../contract.ts';
import { POSIX_CAPABILITY, POSIX_MODULE } from './table.ts';

/** Which import modules need which word. */
const NEEDS: Readonly<Record<string, string>> = { [POSIX_MODULE]: POSIX_CAPABILITY };
const KNOWN: ReadonlySet<string> = new Set([POSIX_CAPABILITY]);

/** The words of the annotation, which are parted by commas. */
export function parseCapabilities(text: string | undefined): ReadonlySet<string> {
  const words = (text ?? '').split(',').map((word) => word.trim());
  return new Set(words.filter((word) => word !== ''));
}

/** Why this module must not start with these grants; undefined when it may. */
export function grantRefusal(verdict: Verdict, granted: ReadonlySet<string>): Verdict['refusal'] {
  const unknown = [...granted].find((word) => !KNOWN.has(word));
  if (unknown !== undefined) {
    const known = [...KNOWN].join(', ');
    return refuse(
      `the annotation wasmlet.dev/capabilities grants '${unknown.slice(0, 100)}', which nobody provides; known is ${known}`,
    );
  }
  for (const module of new Set(verdict.imports.map((entry) => entry.module))) {
    const need = Object.hasOwn(NEEDS, module) ? NEEDS[module] : undefined;
    if (need === undefined || granted.has(need)) continue;
    return refuse(
      `the module imports '${module}', which its pod does not grant; the annotation wasmlet.dev/capabilities: ${need} does`,
    );
  }
  return undefined;
}

function refuse(message: string): Verdict['refusal'] {
  return { code: 'MODULE_NOT_GRANTED', message };
}
