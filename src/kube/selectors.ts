/** Label and field selectors. Source: apimachinery `pkg/labels/selector.go`, `pkg/fields/selector.go`. */
import { kubeError } from './errors.ts';
import type { LabelSelector } from './types/mod.ts';

export type LabelOperator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'GreaterThan' | 'LessThan';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

export interface FieldRequirement {
  readonly field: string;
  readonly equal: boolean;
  readonly value: string;
}

const NAME = /^[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

export function isLabelKey(key: string): boolean {
  const slash = key.indexOf('/');
  return NAME.test(key.slice(slash + 1)) && (slash === -1 || PREFIX.test(key.slice(0, slash)));
}

export function isLabelValue(value: string): boolean {
  return value === '' || NAME.test(value);
}

/** `a=b,c!=d,e in (x,y),f notin (z),g,!h,n>1,n<9`: all of them must hold. The empty selector holds always. */
export function parseLabelSelector(text: string): LabelRequirement[] {
  if (text.trim() === '') return [];
  return splitOutsideParentheses(text).map((part) => checked(requirementOf(part.trim(), text), text));
}

const SET = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/;
const COMPARISON = /^([^\s=!<>]+)\s*(==|=|!=|>|<)\s*([^\s=!<>(),]*)$/;
const COMPARISONS: Readonly<Record<string, LabelOperator>> = {
  '=': 'In',
  '==': 'In',
  '!=': 'NotIn',
  '>': 'GreaterThan',
  '<': 'LessThan',
};

function requirementOf(part: string, whole: string): LabelRequirement {
  const set = SET.exec(part);
  if (set !== null) {
    const [, key = '', word, list = ''] = set;
    return { key, operator: word === 'in' ? 'In' : 'NotIn', values: list.split(',').map((value) => value.trim()) };
  }
  const comparison = COMPARISON.exec(part);
  if (comparison !== null) {
    const [, key = '', sign = '', value = ''] = comparison;
    return { key, operator: COMPARISONS[sign] ?? 'In', values: [value] };
  }
  if (part.startsWith('!')) return { key: part.slice(1).trim(), operator: 'DoesNotExist', values: [] };
  if (/\s/.test(part)) throw wrong(whole, `'${part}' is not a requirement`);
  return { key: part, operator: 'Exists', values: [] };
}

function checked(requirement: LabelRequirement, whole: string): LabelRequirement {
  const { key, operator, values } = requirement;
  if (!isLabelKey(key)) throw wrong(whole, `'${key}' is not a label key`);
  const numeric = operator === 'GreaterThan' || operator === 'LessThan';
  for (const value of values) {
    if (numeric ? !/^-?\d+$/.test(value) : !isLabelValue(value)) throw wrong(whole, `'${value}' is not a value`);
  }
  return requirement;
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === '(') depth++;
    else if (letter === ')') depth--;
    else if (letter === ',' && depth === 0) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
    if (depth < 0 || depth > 1) throw wrong(text, 'the parentheses do not match');
  }
  if (depth !== 0) throw wrong(text, 'the parentheses do not match');
  return [...parts, text.slice(from)];
}

/** The object form (`matchLabels`, `matchExpressions`). Undefined selects nothing, the empty object everything. */
export function requirementsOf(selector: LabelSelector): LabelRequirement[] {
  const labels = Object.entries(selector.matchLabels ?? {});
  return [
    ...labels.map(([key, value]): LabelRequirement => ({ key, operator: 'In', values: [value] })),
    ...(selector.matchExpressions ?? []).map(({ key, operator, values = [] }): LabelRequirement => {
      if (!['In', 'NotIn', 'Exists', 'DoesNotExist'].includes(operator)) throw wrong(key, `no operator '${operator}'`);
      return { key, operator: operator as LabelOperator, values };
    }),
  ];
}

export function matchesLabels(
  requirements: readonly LabelRequirement[],
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  return requirements.every((requirement) => holds(requirement, labels ?? {}));
}

function holds({ key, operator, values }: LabelRequirement, labels: Readonly<Record<string, string>>): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'GreaterThan':
      return isWhole(value) && BigInt(value) > BigInt(values[0] ?? '0');
    case 'LessThan':
      return isWhole(value) && BigInt(value) < BigInt(values[0] ?? '0');
  }
}

function isWhole(value: string | undefined): value is string {
  return value !== undefined && /^-?\d{1,19}$/.test(value);
}

/** `metadata.name=a,spec.nodeName!=b`; a backslash escapes `,`, `=` and itself. */
export function parseFieldSelector(text: string): FieldRequirement[] {
  return splitEscaped(text)
    .filter((part) => part !== '')
    .map((part) => {
      const match = /^([\w.[\]'/-]+?)(!=|==|=)(.*)$/s.exec(part);
      if (match === null) throw wrong(text, `'${part}' is not field=value or field!=value`);
      const [, field = '', sign, value = ''] = match;
      return { field, equal: sign !== '!=', value: value.replace(/\\([\\,=])/g, '$1') };
    });
}

/** `read` gives the field's text, '' where it is unset, undefined where the kind has no such field. */
export function matchesFields(
  requirements: readonly FieldRequirement[],
  read: (field: string) => string | undefined,
): boolean {
  return requirements.every(({ field, equal, value }) => (read(field) === value) === equal);
}

function splitEscaped(text: string): string[] {
  return text.match(/(?:\\.|[^,\\])+|\\$/gs) ?? [];
}

function wrong(text: string, state: string): Error {
  return kubeError('KUBE_SELECTOR_INVALID', `Cannot read the selector '${text.slice(0, 256)}': ${state}`);
}
