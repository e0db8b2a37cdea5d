import { posix } from 'node:path';
import type { ChangeSet } from '../changes.ts';
import { SkillflowError } from '../errors.ts';
import type { Finding, Note, SourceRange } from '../finding.ts';
import type { AskRequest } from './provider.ts';
import { projectPath, readStart } from './tools/project-file.ts';
import { forbiddenPath } from './tools/secret-files.ts';
import type { Refusal } from './tools/toolbox.ts';

/** The identity of a finding; `analysis/` hashes it to an id. */
export interface FindingKey {
  readonly rule: string;
  readonly file: string;
  readonly anchor: string;
  readonly occurrence: number;
}

export interface RefusalDeps {
  readonly findingId: (key: FindingKey) => string;
  readonly redact: (text: string) => string;
}

/** What an agent was refused, as far as a file led it there, and else as what it did. */
interface RefusalReport {
  readonly findings: readonly Finding[];
  readonly notes: readonly Note[];
}

const MAX_FINDINGS = 10;
const MAX_FILES = 200;
const MAX_BYTES = 1024 * 1024;
const MAX_NAMED = 5;
/** Characters of a name that a line of code does not hold by chance. */
const LEAST_NAME = 6;

interface Line {
  readonly file: string;
  readonly range: SourceRange;
  readonly text: string;
}

async function textOf(changes: ChangeSet, path: string): Promise<string> {
  const reviewed = changes.files.find((file) => file.path === path)?.text;
  if (reviewed !== undefined) return reviewed;
  try {
    return (await readStart((await projectPath(changes.root, path)).absolutePath, MAX_BYTES)).text;
  } catch (error) {
    // What cannot be read names nothing.
    if (error instanceof SkillflowError || (error instanceof Error && 'code' in error)) return '';
    throw error;
  }
}

/** What was asked for, however it was written: without the way up, and without a `/` at its beginning. */
const targetOf = ({ what, asked }: Refusal): string =>
  what === 'tool' ? asked : posix.normalize(asked.replaceAll('\\', '/')).replace(/^(?:\.\.\/|\/)+/u, '');

/** The first line that names what was asked for, in what the agent read before it, newest first, and in what it was shown. */
async function namingLine({ changes }: AskRequest, refusal: Refusal): Promise<Line | null> {
  const target = targetOf(refusal);
  if (target.length < LEAST_NAME) return null;
  const shown = changes.files.map(({ path }) => path).filter((path) => forbiddenPath(path) === null);
  for (const file of new Set([...refusal.after, ...shown.slice(0, MAX_FILES)])) {
    const lines = (await textOf(changes, file)).split(/\r?\n/u);
    const index = lines.findIndex((line) => line.includes(target));
    const text = lines[index];
    if (text === undefined) continue;
    return { file, range: { startLine: index + 1, startColumn: 1, endLine: index + 1, endColumn: text.length + 1 }, text };
  }
  return null;
}

const RULES = { tool: 'agent/forbidden-tool', outside: 'agent/forbidden-access', secret: 'agent/forbidden-access' } as const;
const SEVERITIES = { tool: 'medium', outside: 'high', secret: 'medium' } as const;
const ADVICE = 'Read what the agent was given for texts that speak to a model, and remove them.';

function named(request: AskRequest, refusal: Refusal, line: Line, { findingId, redact }: RefusalDeps): Finding {
  const { what, asked, tool, reason } = refusal;
  const rule = RULES[what];
  const did =
    what === 'tool' ? `called ${asked}, a tool its role does not have` : `asked for what it may not see (${tool}: ${reason})`;
  return {
    id: findingId({ rule, file: line.file, anchor: targetOf(refusal), occurrence: 0 }),
    rule,
    severity: SEVERITIES[what],
    confidence: 'medium',
    capability: request.agent.capabilities[0] ?? request.agent.type,
    file: line.file,
    range: line.range,
    message: `The agent ${request.agent.id} ${did} and was refused; this line names it: a possible prompt injection.`,
    evidence: redact(line.text).trim().slice(0, 400),
    advice: ADVICE,
    cwe: ['CWE-1427'],
  };
}

/** Of places outside the root that no line names: the file that the agent had read last. */
async function unnamed(
  request: AskRequest,
  file: string,
  refusals: readonly Refusal[],
  { findingId, redact }: RefusalDeps,
): Promise<Finding> {
  const asked = [...new Set(refusals.map(targetOf))];
  const [first = ''] = (await textOf(request.changes, file)).split(/\r?\n/u);
  const rest = asked.length > MAX_NAMED ? ` and ${asked.length - MAX_NAMED} more` : '';
  return {
    id: findingId({ rule: RULES.outside, file, anchor: '', occurrence: 0 }),
    rule: RULES.outside,
    severity: 'medium',
    confidence: 'low',
    capability: request.agent.capabilities[0] ?? request.agent.type,
    file,
    range: { startLine: 1, startColumn: 1, endLine: 1, endColumn: first.length + 1 },
    message: `After it had read this file, the agent ${request.agent.id} asked for what lies outside of the project root (${asked.slice(0, MAX_NAMED).join(', ')}${rest}) and was refused. No line names it: a text in this file may have led it there, or it did so by itself.`,
    evidence: redact(first).trim().slice(0, 400),
    advice: ADVICE,
    cwe: ['CWE-1427'],
  };
}

const WHATS = {
  tool: 'calls of tools that its role does not have were refused',
  outside: 'places outside of the project root that it asked for were refused',
  secret: 'places of secrets that it asked for were refused',
} as const;

function notesOf(refusals: readonly Refusal[]): readonly Note[] {
  return (['tool', 'outside', 'secret'] as const).flatMap((kind): readonly Note[] => {
    const asked = refusals.filter(({ what }) => what === kind).map((refusal) => refusal.asked || refusal.tool);
    const names = [...new Set(asked)].slice(0, MAX_NAMED);
    return asked.length === 0
      ? []
      : [{ code: 'refused_calls', message: `${WHATS[kind]}: ${names.join(', ')}`, count: asked.length }];
  });
}

/**
 * What an agent was refused: a finding where a line that it was given names it, one for each target, and for places
 * outside the root the file that it had read last; all else is what a model did by itself, and a note. At most 10
 * findings.
 */
export async function reportRefusals(
  request: AskRequest,
  refusals: readonly Refusal[],
  deps: RefusalDeps,
): Promise<RefusalReport> {
  const distinct = new Map(refusals.toReversed().map((refusal) => [`${refusal.what} ${targetOf(refusal)}`, refusal]));
  const findings: Finding[] = [];
  const byFile = new Map<string, Refusal[]>();
  const own: Refusal[] = [];
  for (const refusal of [...distinct.values()].toReversed()) {
    const line = await namingLine(request, refusal);
    const [last] = refusal.after;
    if (line !== null && findings.length < MAX_FINDINGS) findings.push(named(request, refusal, line, deps));
    else if (line === null && refusal.what === 'outside' && last !== undefined) {
      byFile.set(last, [...(byFile.get(last) ?? []), refusal]);
    } else own.push(refusal);
  }
  for (const [file, asked] of byFile) {
    if (findings.length < MAX_FINDINGS) findings.push(await unnamed(request, file, asked, deps));
    else own.push(...asked);
  }
  return { findings, notes: notesOf(own) };
}
