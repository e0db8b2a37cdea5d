import * as z from 'zod';
import { InvalidInputError } from '../../errors.ts';
import { contentHash } from '../../store/content-hash.ts';
import type { Row } from '../../store/database.ts';
import { numberOf, numberOrNull, textOf, textOrNull } from '../../store/row.ts';
import { parseTags } from '../entry.ts';
import { checkName, checkReason, checkTags, checkWord, MAX_TIME_MS } from '../limits.ts';
import { decodeValue, encodeValue, type JsonValue } from '../value.ts';
import { checkTimes } from './entry-times.ts';
import { toContent, type Content, type IncomingLink } from './incoming.ts';

/**
 * An export: one JSON object a line. First a `skillflow-memory` line, then each entry followed by its earlier versions,
 * then the links, then an `end` line with the counts, by which a file that was cut off is known.
 */
export const FORMAT = 1;
/** How every export begins. */
export const FIRST_BYTES = '{"type":"skillflow-memory",';

/** Of a version: none is reached by writing, and what follows it is a whole number still. */
const MAX_VERSION = 2 ** 52;

const count = z.int().nonnegative();
const time = z.int().nonnegative().max(MAX_TIME_MS);
const validity = z.int().min(-MAX_TIME_MS).max(MAX_TIME_MS);
const name = z.strictObject({ namespace: z.string(), key: z.string() });
const content = {
  namespace: z.string(),
  key: z.string(),
  version: z.int().min(1).max(MAX_VERSION).default(1),
  kind: z.string().default('note'),
  importance: z.number().min(0).max(1).default(0.5),
  tags: z.array(z.string()).default([]),
  agent: z.string().nullable().default(null),
  session: z.string().nullable().default(null),
  run: z.string().nullable().default(null),
  updatedAt: time,
  expiresAt: time.nullable().default(null),
  validFrom: validity.nullable().default(null),
  validTo: validity.nullable().default(null),
};
const lines = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('skillflow-memory'),
    format: z.literal(FORMAT),
    exportedAt: time.optional(),
    namespace: z.string().nullable().optional(),
  }),
  z.strictObject({ type: z.literal('entry'), ...content, createdAt: time.optional(), deletedAt: time.nullable().default(null) }),
  z.strictObject({ type: z.literal('version'), ...content }),
  z.strictObject({
    type: z.literal('link'),
    from: name,
    to: name,
    kind: z.string(),
    reason: z.string().nullable().default(null),
    createdAt: time,
  }),
  z.strictObject({ type: z.literal('end'), entries: count, versions: count, links: count }),
]);
type Fields = z.infer<typeof lines>;
type ContentFields = Extract<Fields, { type: 'entry' | 'version' }>;

/** A line of an export, understood. */
export type ParsedLine =
  | Extract<Fields, { type: 'skillflow-memory' | 'end' }>
  | { readonly type: 'link'; readonly link: IncomingLink }
  | { readonly type: 'version'; readonly namespace: string; readonly key: string; readonly content: Content }
  | {
      readonly type: 'entry';
      readonly namespace: string;
      readonly key: string;
      readonly createdAt: number;
      readonly deletedAt: number | null;
      readonly content: Content;
    };

function wrong(line: number, field: string, problem: string, hint?: string): InvalidInputError {
  return new InvalidInputError(`line ${line}: ${field === '' ? '' : `${field} `}${problem}`, {
    hint: hint ?? 'Correct that line; nothing was brought in.',
    details: { line, field },
  });
}

type JsonObject = { readonly [key: string]: JsonValue };

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseObject(text: string, line: number): JsonObject {
  let parsed: JsonValue;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw wrong(line, '', `it is no JSON: ${error instanceof Error ? error.message.slice(0, 100) : ''}`);
  }
  if (!isObject(parsed)) throw wrong(line, '', 'it is no JSON object');
  if (Object.hasOwn(parsed, '__proto__')) throw wrong(line, '__proto__', 'is no field of an export');
  return parsed;
}

function parseFields(object: JsonObject, line: number): Fields {
  const result = lines.safeParse(object);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  if (unknown !== undefined) throw wrong(line, unknown, 'is no field of such a line');
  throw wrong(line, issue?.path.join('.') ?? '', `is wrong: ${issue?.message ?? 'not understood'}`);
}

function checkFields(fields: ContentFields): readonly string[] {
  checkName('namespace', fields.namespace);
  checkName('key', fields.key);
  checkWord('kind', fields.kind);
  if (fields.agent !== null) checkName('agent', fields.agent);
  if (fields.session !== null) checkName('session', fields.session);
  if (fields.run !== null) checkName('run', fields.run);
  return checkTags(fields.tags);
}

function contentOf(fields: ContentFields, value: JsonValue): Content {
  const tags = checkFields(fields);
  const { format, text, words } = encodeValue(value);
  return toContent({
    version: fields.version,
    value: text,
    format,
    words,
    hash: contentHash(text),
    tags: JSON.stringify(tags),
    kind: fields.kind,
    importance: fields.importance,
    agent: fields.agent,
    session: fields.session,
    run: fields.run,
    updated_at: fields.updatedAt,
    expires_at: fields.expiresAt,
    valid_from: fields.validFrom,
    valid_to: fields.validTo,
  });
}

function linkOf({ from, to, kind, reason, createdAt }: Extract<Fields, { type: 'link' }>): IncomingLink {
  for (const [field, end] of Object.entries({ from, to })) {
    checkName(`${field}.namespace`, end.namespace);
    checkName(`${field}.key`, end.key);
  }
  if (from.namespace === to.namespace && from.key === to.key) {
    throw new InvalidInputError('an entry cannot be linked to itself', {
      hint: 'Remove that line, and correct the count of links in the end line.',
      details: { parameter: 'to' },
    });
  }
  checkWord('kind', kind);
  const why = reason === null ? null : checkReason(reason);
  return { from: [from.namespace, from.key], to: [to.namespace, to.key], kind, reason: why, createdAt };
}

function understand(object: JsonObject, line: number): ParsedLine {
  const { value, ...rest } = object;
  const hasValue = rest['type'] === 'entry' || rest['type'] === 'version';
  const fields = parseFields(hasValue ? rest : object, line);
  if (fields.type === 'link') return { type: 'link', link: linkOf(fields) };
  if (fields.type === 'end' || fields.type === 'skillflow-memory') return fields;
  if (value === undefined) throw wrong(line, 'value', 'is missing');
  const { namespace, key, updatedAt } = fields;
  const parsed = { namespace, key, content: contentOf(fields, value) };
  if (fields.type === 'version') return { type: 'version', ...parsed };
  return { type: 'entry', ...parsed, createdAt: fields.createdAt ?? updatedAt, deletedAt: fields.deletedAt };
}

/**
 * Reads one line of an export. The hash and the words of a value are made anew, not believed.
 * Errors: `InvalidInputError` naming the line and the field.
 */
export function parseLine(text: string, line: number): ParsedLine {
  const object = parseObject(text, line);
  try {
    return understand(object, line);
  } catch (error) {
    if (!(error instanceof InvalidInputError) || error.details?.['line'] === line) throw error;
    const field = error.details?.['at'] ?? error.details?.['parameter'];
    throw new InvalidInputError(`line ${line}: ${error.message}`, { hint: error.hint, details: { line, field }, cause: error });
  }
}

/** The value as it stands in a line: JSON is copied as it is stored, since printing it anew would lose a -0. */
function valueText(row: Row): string {
  const [format, text] = [textOf(row, 'format'), textOf(row, 'value')];
  const value = decodeValue(format, text);
  return format === 'text' || text.includes('\n') ? JSON.stringify(value) : text;
}

/**
 * The line of an entry or a version, from a row with its columns; `more` are the fields that only entries have. Errors:
 * `DatabaseDamagedError` when something in it cannot be read.
 */
export function contentLine(type: 'entry' | 'version', row: Row, names: readonly [string, string], more: object): string {
  const head = JSON.stringify({
    type,
    namespace: names[0],
    key: names[1],
    version: numberOf(row, 'version'),
    kind: textOf(row, 'kind'),
    importance: numberOf(row, 'importance'),
    tags: parseTags(textOf(row, 'tags')),
    agent: textOrNull(row, 'agent'),
    session: textOrNull(row, 'session'),
    run: textOrNull(row, 'run'),
    ...more,
    updatedAt: numberOf(row, 'updated_at'),
    expiresAt: numberOrNull(row, 'expires_at'),
    validFrom: numberOrNull(row, 'valid_from'),
    validTo: numberOrNull(row, 'valid_to'),
  });
  checkTimes(row);
  return `${head.slice(0, -1)},"value":${valueText(row)}}\n`;
}
