/** What names may look like, with the words for those that do not. Source: apimachinery `pkg/util/validation/validation.go`. */
export type NameRule = (value: string) => string[];

function regexError(message: string, format: string, ...examples: string[]): string {
  const shown = examples.map((example) => `'${example}'`).join(',  or ');
  return `${message} (e.g. ${shown}, regex used for validation is '${format}')`;
}

function lengthError(limit: number): string {
  return `must be no more than ${limit} characters`;
}

interface Pattern {
  readonly limit: number;
  readonly pattern: RegExp;
  readonly error: string;
}

function ruleOf({ limit, pattern, error }: Pattern): NameRule {
  return (value) => {
    const long = value.length > limit;
    // A value far beyond the limit is not worth a regular expression.
    const wrong = value.length > limit * 4 || !pattern.test(value);
    return [...(long ? [lengthError(limit)] : []), ...(wrong ? [error] : [])];
  };
}

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const VALUE = '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?';
const CONFIG_KEY = '[-._a-zA-Z0-9]+';
const ALPHANUMERIC = 'must consist of lower case alphanumeric characters';

export const dnsLabel: NameRule = ruleOf({
  limit: 63,
  pattern: new RegExp(`^${LABEL}$`),
  error: regexError(
    `a lowercase RFC 1123 label ${ALPHANUMERIC} or '-', and must start and end with an alphanumeric character`,
    LABEL,
    'my-name',
    '123-abc',
  ),
});

export const dnsSubdomain: NameRule = ruleOf({
  limit: 253,
  pattern: new RegExp(`^${SUBDOMAIN}$`),
  error: regexError(
    `a lowercase RFC 1123 subdomain ${ALPHANUMERIC}, '-' or '.', and must start and end with an alphanumeric character`,
    SUBDOMAIN,
    'example.com',
  ),
});

export const labelValue: NameRule = ruleOf({
  limit: 63,
  pattern: new RegExp(`^${VALUE}$`),
  error: regexError(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    VALUE,
    'MyValue',
    'my_value',
    '12345',
  ),
});

export const configKey: NameRule = (value) => {
  const errors = value.length > 253 ? [lengthError(253)] : [];
  if (!new RegExp(`^${CONFIG_KEY}$`).test(value)) {
    const message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
    errors.push(regexError(message, CONFIG_KEY, 'key.name', 'KEY_NAME', 'key-name'));
  }
  if (value === '.' || value === '..') errors.push(`must not be '${value}'`);
  else if (value.startsWith('..')) errors.push("must not start with '..'");
  return errors;
};

const QUALIFIED_ERROR = regexError(
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  QUALIFIED,
  'MyName',
  'my.name',
  '123-abc',
);

/** A label's or annotation's key: `prefix/name` or `name`. */
export const qualifiedName: NameRule = (value) => {
  const parts = value.split('/');
  const errors: string[] = [];
  if (parts.length > 2) {
    const message =
      "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    const text = regexError(message, QUALIFIED, 'MyName', 'my.name', '123-abc');
    return [`${text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const [prefix] = parts;
  if (parts.length === 2 && prefix === '') errors.push('prefix part must be non-empty');
  else if (parts.length === 2) errors.push(...dnsSubdomain(prefix ?? '').map((error) => `prefix part ${error}`));
  const name = parts.at(-1) ?? '';
  if (name === '') errors.push('name part must be non-empty');
  else if (name.length > 63) errors.push(`name part ${lengthError(63)}`);
  if (name.length > 253 || !new RegExp(`^${QUALIFIED}$`).test(name)) errors.push(`name part ${QUALIFIED_ERROR}`);
  return errors;
};

/** Printable ASCII without `=`. */
export const envName: NameRule = (value) => {
  if (value === '') return ['environment variable name must be non-empty'];
  return /^[\x20-\x3c\x3e-\x7e]+$/.test(value)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
};

/** An IANA service name. */
export const portName: NameRule = (value) => {
  const errors: string[] = [];
  if (value.length > 15) errors.push(lengthError(15));
  if (!/^[-a-z0-9]+$/.test(value))
    errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(value)) errors.push('must contain at least one letter (a-z)');
  if (value.includes('--')) errors.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
};

export function portNumber(value: number): string[] {
  return value >= 1 && value <= 65_535 ? [] : ['must be between 1 and 65535, inclusive'];
}

/** What may stand in a URL's path. */
export const pathSegment: NameRule = (value) => {
  if (value === '.' || value === '..') return [`may not be '${value}'`];
  return ['/', '%'].filter((illegal) => value.includes(illegal)).map((illegal) => `may not contain '${illegal}'`);
};

/** The rule for the beginning of a name that the server completes. */
export function prefixOf(rule: NameRule): NameRule {
  return (value) => rule(value.replace(/-$/, 'a'));
}
