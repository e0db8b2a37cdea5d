import * as z from 'zod';
import { printable } from '../../printable.ts';
import { AGENT_TOOL_NAMES, COGNITIVE_STYLES, MODEL_CLASSES } from '../role.ts';
import type { AgentToolName, Role } from '../role.ts';

/** Characters that a role's file may have; prompts of more are better split into roles. */
const MAX_CHARS = 32 * 1024;

/** Of one file. */
const MAX_PROBLEMS = 10;

/** What a role that names no tools may do: look. */
const DEFAULT_TOOLS: readonly AgentToolName[] = ['read_file', 'list_files', 'grep', 'git_diff'];

/** What is wrong with a text, and at which line from 1. */
export interface Problem {
  readonly message: string;
  readonly line: number;
  readonly hint?: string;
}

/** A value, or why there is none. */
export type Reading<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly Problem[] };

/** What is needed of a reader of frontmatter; `skill/frontmatter.ts` has one that runs no code. */
export type ReadFrontmatter = (text: string) => Reading<{
  readonly document: { readonly value: unknown; locateValue(path: readonly PropertyKey[]): { readonly line: number } };
  readonly body: string;
  readonly bodyLine: number;
}>;

const schema = z.strictObject({
  name: z.string().optional(),
  description: z.string().trim().min(1).max(300),
  style: z.enum(COGNITIVE_STYLES).default('convergent'),
  model: z.enum(MODEL_CLASSES).default('standard'),
  tools: z.array(z.enum(AGENT_TOOL_NAMES)).optional(),
});

const KEYS = Object.keys(schema.shape).join(', ');

function refuse(message: string, line: number, hint: string): Reading<never> {
  return { ok: false, problems: [{ message, line, hint }] };
}

function toProblems(issue: z.core.$ZodIssue, lineOf: (path: readonly PropertyKey[]) => number): readonly Problem[] {
  const known = `A role has the keys ${KEYS}; description is required.`;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ message: `unknown key "${key.slice(0, 64)}"`, line: lineOf([key]), hint: known }));
  }
  const place = issue.path.map(String).join('.');
  const message = place === '' ? 'expected a mapping of keys to values' : `${place}: ${issue.message}`;
  const hint = place.startsWith('tools') ? `The tools are ${AGENT_TOOL_NAMES.map((name) => `"${name}"`).join(', ')}.` : known;
  return [{ message: message.slice(0, 300), line: lineOf(issue.path), hint }];
}

/** The index of the first line with characters that nobody sees, which may hide instructions; -1 where there is none. */
function findHidden(lines: readonly string[]): number {
  return lines.findIndex((line) => {
    const shown = line.replace(/\r$/, '').replaceAll('\t', ' ');
    return printable(shown) !== shown;
  });
}

/**
 * Reads a role from the text of its file: frontmatter (`description`, and `style`, `model`, `tools`, by default
 * `convergent`, `standard` and looking only) and the prompt below it. Refused: more than 32 K characters, unknown keys or
 * values, a `name` other than the file's, an empty prompt, invisible characters. Never throws.
 */
export function parseRole(name: string, text: string, readFrontmatter: ReadFrontmatter): Reading<Role> {
  if (text.length > MAX_CHARS) return refuse(`the file is longer than ${MAX_CHARS} characters`, 1, 'Shorten the prompt.');
  const hidden = findHidden(text.split('\n'));
  if (hidden !== -1) {
    return refuse('this line has characters that nobody sees', hidden + 1, 'Remove control and invisible format characters.');
  }
  const front = readFrontmatter(text);
  if (!front.ok) return front;
  const { document, body, bodyLine } = front.value;
  const parsed = schema.safeParse(document.value);
  if (!parsed.success) {
    const lineOf = (path: readonly PropertyKey[]): number => document.locateValue(path).line;
    return { ok: false, problems: parsed.error.issues.flatMap((issue) => toProblems(issue, lineOf)).slice(0, MAX_PROBLEMS) };
  }
  const { name: stated, description, style, model, tools } = parsed.data;
  if (stated !== undefined && stated !== name) {
    const message = `name is "${stated.slice(0, 64)}" but the file is "${name}.md"`;
    return refuse(message, document.locateValue(['name']).line, 'Rename one of the two, or leave name out.');
  }
  const prompt = body.trim();
  if (prompt === '') return refuse('there is no prompt', bodyLine, 'Write below the frontmatter what the agent is told.');
  return {
    ok: true,
    value: { name, description, style, model, tools: [...new Set(tools ?? DEFAULT_TOOLS)], prompt: `${prompt}\n` },
  };
}
