/** `WWW-Authenticate`, read with bounds. Source: RFC 9110 section 11.6.1. */
export interface Challenge {
  /** Lower case: `basic`, `bearer`. */
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const MAX_HEADER = 8192;
const MAX_CHALLENGES = 8;
const TOKEN = /[!#$%&'*+.^_`|~\w-]+/y;

/** Challenges in order; what can't be read ends the list. */
export function parseChallenges(header: string | undefined): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  const scan = new Scanner((header ?? '').slice(0, MAX_HEADER));
  while (challenges.length < MAX_CHALLENGES) {
    scan.skip(/[\s,]+/y);
    const word = scan.take(TOKEN);
    if (word === undefined) break;
    if (!scan.skip(/\s*=\s*/y)) {
      challenges.push({ scheme: word.toLowerCase(), parameters: Object.create(null) });
      scan.skip(/\s+/y);
      continue;
    }
    const value = scan.quoted() ?? scan.take(/[^\s,"]*/y);
    const last = challenges.at(-1);
    if (value === undefined || last === undefined) break;
    last.parameters[word.toLowerCase()] ??= value;
  }
  return challenges;
}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  skip(pattern: RegExp): boolean {
    return (this.take(pattern) ?? '') !== '';
  }

  quoted(): string | undefined {
    const found = this.take(/"(?:[^"\\]|\\.)*"/y);
    return found?.slice(1, -1).replace(/\\(.)/g, '$1');
  }
}
