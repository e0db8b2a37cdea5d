import { isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, parseDocument, Parser, visit } from 'yaml';
import type { Document, YAMLError } from 'yaml';
import { FORBIDDEN_KEYS, problem } from './source-document.ts';
import type { Position, Problem, Reading, SourceDocument, ValuePath } from './source-document.ts';

/** Beyond any skill that people write; below what makes the parser recurse too deeply or run for seconds. */
const MAX_DEPTH = 64;
const MAX_LEXEMES = 20_000;
const MAX_ALIASES = 100;
const MAX_PROBLEMS = 20;

/**
 * Reads the tokens only, without recursion, and stops at a limit. Composing a document recurses, and a deep one ends the
 * whole process (V8 cannot compile a regular expression on an exhausted stack), so depth is checked before that.
 */
function checkSize(text: string, at: (offset: number) => Position): Problem | null {
  const parser = new Parser();
  let lexemes = 0;
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme)) void _;
    lexemes += 1;
    if (parser.stack.length > MAX_DEPTH) {
      const message = `values are nested more than ${MAX_DEPTH} deep here`;
      return problem('error', 'too_deep', message, { ...at(parser.offset), hint: 'Flatten the structure.' });
    }
    if (lexemes > MAX_LEXEMES) {
      const message = `there are more than ${MAX_LEXEMES} YAML tokens up to here`;
      return problem('error', 'too_complex', message, { ...at(parser.offset), hint: 'Shorten the YAML.' });
    }
  }
  return null;
}

const CODES: Readonly<Partial<Record<YAMLError['code'], { code: string; hint: string }>>> = {
  TAB_AS_INDENT: { code: 'yaml_tabs', hint: 'Indent with spaces.' },
  TAG_RESOLVE_FAILED: { code: 'yaml_tag', hint: 'Remove the tag and write a plain value.' },
  MULTIPLE_DOCS: { code: 'yaml_documents', hint: 'Keep one document in the file.' },
};

/** What the parser refused, and what it accepts but has no place in a skill. */
function checkDocument(doc: Document.Parsed, at: (offset: number) => Position): Problem[] {
  const problems = [...doc.errors, ...doc.warnings].map(({ code, message, pos }) => {
    const known = CODES[code] ?? { code: 'yaml_syntax', hint: 'Correct the YAML; quote values that contain ": " or " #".' };
    return problem('error', known.code, message, { ...at(pos[0]), hint: known.hint });
  });
  const add = (code: string, message: string, offset: number, hint: string): void => {
    problems.push(problem('error', code, message, { ...at(offset), hint }));
  };
  if (doc.directives.yaml.explicit === true || Object.keys(doc.directives.tags).length > 1) {
    add('yaml_directive', 'YAML directives (%YAML, %TAG) are not supported', 0, 'Remove the directive.');
  }
  let aliases = 0;
  visit(doc, {
    Alias: (_, node) => {
      aliases += 1;
      if (aliases <= MAX_ALIASES) return undefined;
      add('yaml_aliases', `there are more than ${MAX_ALIASES} aliases`, node.range?.[0] ?? 0, 'Write the values out.');
      return visit.BREAK;
    },
    Map: (_, node) => {
      const keys = new Set<unknown>();
      for (const { key } of node.items) {
        if (!isScalar(key)) continue;
        const offset = key.range?.[0] ?? 0;
        const name = String(key.value);
        if (keys.has(name)) add('duplicate_key', `the key "${name}" is there twice`, offset, 'Keep one of them.');
        keys.add(name);
        if (name === '<<') add('yaml_merge_key', 'merge keys (<<) are not supported', offset, 'Write the values out.');
        if (FORBIDDEN_KEYS.has(name)) add('forbidden_key', `"${name}" cannot be used as a key`, offset, 'Rename the key.');
      }
    },
  });
  return problems.slice(0, MAX_PROBLEMS);
}

interface Found {
  readonly key: number;
  readonly value: number;
  readonly source: string | null;
}

function rangeStart(node: unknown): number | undefined {
  return isMap(node) || isSeq(node) || isScalar(node) || isAlias(node) ? node.range?.[0] : undefined;
}

/** Follows a path as far as it goes. */
function find(doc: Document.Parsed, path: ValuePath): Found {
  let node: unknown = doc.contents;
  let key = rangeStart(node) ?? 0;
  let value = key;
  for (const part of path) {
    const pair = isMap(node) ? node.items.find((item) => isScalar(item.key) && String(item.key.value) === part) : undefined;
    const next: unknown = isSeq(node) && typeof part === 'number' ? node.items[part] : pair?.value;
    const start = rangeStart(pair === undefined ? next : pair.key);
    if (start === undefined) return { key, value: key, source: null };
    key = start;
    value = rangeStart(next) ?? start;
    node = next;
  }
  return { key, value, source: isScalar(node) ? (node.source ?? null) : null };
}

/**
 * Reads YAML 1.2 (core schema) as plain data. Errors: syntax, tags, directives, duplicate, merge and prototype keys,
 * nesting beyond 64, more than 20,000 tokens, alias bombs. The value may be anything, an empty text is `null`.
 */
export function readYaml(text: string): Reading<SourceDocument> {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let i = text.indexOf('\n'); i !== -1; i = text.indexOf('\n', i + 1)) lines.addNewLine(i + 1);
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const tooBig = checkSize(text, at);
  if (tooBig !== null) return { ok: false, problems: [tooBig] };
  try {
    const doc = parseDocument(text, {
      prettyErrors: false,
      // `uniqueKeys` compares every key with every other; `checkDocument` looks them up in a set.
      uniqueKeys: false,
      stringKeys: true,
      merge: false,
      schema: 'core',
      resolveKnownTags: false,
    });
    const problems = checkDocument(doc, at);
    if (problems.length > 0) return { ok: false, problems };
    const value: unknown = doc.toJS({ maxAliasCount: MAX_ALIASES });
    return {
      ok: true,
      value: {
        value,
        locateKey: (path) => at(find(doc, path).key),
        locateValue: (path) => at(find(doc, path).value),
        textAt: (path) => find(doc, path).source,
      },
    };
  } catch (error) {
    // The parser throws only for aliases that multiply or that come before their anchor.
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, problems: [problem('error', 'yaml_aliases', message, { hint: 'Write the values out.' })] };
  }
}
