import type * as z from 'zod';
import { nearest } from '../nearest.ts';
import { problem } from './source-document.ts';
import type { Problem, SourceDocument, ValuePath } from './source-document.ts';

const MAX_PROBLEMS = 20;

/** What came of a validation: the value unless there are errors; warnings can come with it. */
export interface Validated<T> {
  readonly value: T | null;
  readonly problems: readonly Problem[];
}

function isRecord(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === 'object' && value !== null;
}

function valueAt(root: unknown, path: ValuePath): unknown {
  let value = root;
  for (const part of path) value = isRecord(value) && Object.hasOwn(value, part) ? value[part] : undefined;
  return value;
}

/** `agents[0].count`; empty for the root. */
function printPath(path: ValuePath): string {
  return path.map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${String(part)}`)).join('');
}

function unknownKeyHint(key: string, place: string, keys: Readonly<Record<string, readonly string[]>>): string {
  const here = keys[place] ?? [];
  const [near] = nearest(key, here);
  if (near !== undefined) return `Did you mean "${near}"?`;
  const elsewhere = Object.entries(keys).find(([, names]) => names.includes(key))?.[0];
  if (elsewhere !== undefined) return `"${key}" belongs ${elsewhere === '' ? 'at the top' : `under ${elsewhere}`}.`;
  return here.length === 0 ? 'Remove it.' : `Known here: ${here.join(', ')}.`;
}

function toProblem(issue: z.core.$ZodIssue, document: SourceDocument): Problem {
  const { path } = issue;
  const missing = issue.code === 'invalid_type' && valueAt(document.value, path) === undefined;
  if (missing) {
    const message = `${printPath(path)} is missing`;
    return problem('error', 'missing_key', message, { ...document.locateKey(path), hint: 'Add it.' });
  }
  const given: unknown = issue.code === 'custom' ? issue.params?.['code'] : undefined;
  const code = typeof given === 'string' ? given : 'invalid_value';
  return problem('error', code, `${printPath(path)}: ${issue.message}`, document.locateValue(path));
}

/** Whether an unknown key was to be one of some, or stands in one of them. */
function isMeantFor(
  guards: ReadonlySet<string>,
  key: string,
  place: string,
  keys: Readonly<Record<string, readonly string[]>>,
): boolean {
  const [top = ''] = place.split('.');
  return guards.has(top === '' ? (nearest(key, keys[''] ?? [])[0] ?? '') : top);
}

function unknownKeys(
  issue: z.core.$ZodIssueUnrecognizedKeys,
  document: SourceDocument,
  keys: Readonly<Record<string, readonly string[]>>,
  guards: ReadonlySet<string>,
): Problem[] {
  const place = issue.path.filter((part) => typeof part === 'string').join('.');
  return issue.keys.slice(0, MAX_PROBLEMS).map((key) => {
    const isGuard = isMeantFor(guards, key, place, keys);
    const end = isGuard ? 'a limit or a gate that is misspelt would not hold' : 'it is ignored';
    const message = `unknown key "${key.slice(0, 64)}"${place === '' ? '' : ` in ${printPath(issue.path)}`}; ${end}`;
    const hint = unknownKeyHint(key, place, keys);
    return problem(isGuard ? 'error' : 'warning', 'unknown_key', message, { ...document.locateKey([...issue.path, key]), hint });
  });
}

/**
 * Validates a document whose root must be a mapping. Unknown keys are warnings with the nearest of `keys` (by the path
 * of their object, places in arrays left out) as a hint, and are left out of the value; everything else is an error. At
 * most 20 problems.
 * @param guards top keys that must not be misspelt: an unknown key that is near one of them, or in it, is an error
 */
export function validate<T>(
  schema: z.ZodType<T>,
  document: SourceDocument,
  keys: Readonly<Record<string, readonly string[]>>,
  guards: ReadonlySet<string> = new Set(),
): Validated<T> {
  if (!isRecord(document.value) || Array.isArray(document.value)) {
    const hint = `Write keys and values: ${(keys[''] ?? []).slice(0, 3).join(', ')}, …`;
    const message = 'expected a mapping of keys to values';
    return { value: null, problems: [problem('error', 'not_a_mapping', message, { ...document.locateValue([]), hint })] };
  }
  const first = schema.safeParse(document.value);
  if (first.success) return { value: first.data, problems: [] };
  const warnings: Problem[] = [];
  const errors: Problem[] = [];
  const known = structuredClone(document.value);
  for (const issue of first.error.issues) {
    if (issue.code !== 'unrecognized_keys') {
      errors.push(toProblem(issue, document));
      continue;
    }
    for (const found of unknownKeys(issue, document, keys, guards)) {
      (found.severity === 'error' ? errors : warnings).push(found);
    }
    const holder = valueAt(known, issue.path);
    if (isRecord(holder)) for (const key of issue.keys) Reflect.deleteProperty(holder, key);
  }
  const problems = [...errors, ...warnings].slice(0, MAX_PROBLEMS);
  if (errors.length > 0) return { value: null, problems };
  const second = schema.safeParse(known);
  if (second.success) return { value: second.data, problems };
  return { value: null, problems: [...second.error.issues.map((issue) => toProblem(issue, document)), ...problems] };
}
