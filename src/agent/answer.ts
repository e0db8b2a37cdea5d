import type { z } from 'zod';
import type { Ballot } from '../ballot.ts';
import { SkillflowError } from '../errors.ts';
import type { Finding, Note, SourceRange } from '../finding.ts';
import { JUDGE_ANSWER, type ReportedFinding, WORK_ANSWER } from './answer-schema.ts';
import type { AskRequest, StepOutput } from './provider.ts';
import type { FindingKey } from './refusal-findings.ts';
import { projectPath, readStart } from './tools/project-file.ts';

export interface AnswerDeps {
  /** The stable id of a finding; `analysis/` has it. */
  readonly findingId: (key: FindingKey) => string;
  /** A text without its secrets. */
  readonly redact: (text: string) => string;
}

/** An answer as a step's output, or why it is none; the reason is fit to be told to the model. */
export type AnswerResult =
  | { readonly ok: true; readonly output: StepOutput }
  | { readonly ok: false; readonly code: 'bad_output'; readonly reason: string };

/** Bytes of an answer's JSON; more is refused before it is parsed. */
export const MAX_ANSWER_BYTES = 1024 * 1024;
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_EVIDENCE = 400;
const MAX_ANCHOR = 4_000;
const MAX_SEARCHED = 100_000;

const bad = (reason: string): AnswerResult => ({ ok: false, code: 'bad_output', reason });

/** JSON in a text, also within a markdown fence; `undefined` where there is none. */
function parsedJson(text: string): unknown {
  const inner = /^```(?:json)?\s*\n(?<body>[\s\S]*?)\n?```$/u.exec(text.trim())?.groups?.['body'] ?? text;
  try {
    const value: unknown = JSON.parse(inner);
    return value;
  } catch {
    return undefined;
  }
}

/** The lines of a file under review or in the root, or why a finding there is refused. */
async function linesOf(request: AskRequest, asked: string): Promise<{ path: string; lines: readonly string[] } | string> {
  const reviewed = request.changes.files.find((file) => file.path === asked);
  if (reviewed?.text !== undefined) return { path: asked, lines: reviewed.text.split(/\r?\n/u) };
  try {
    const place = await projectPath(request.changes.root, asked);
    const file = await readStart(place.absolutePath, MAX_FILE_BYTES);
    return { path: place.path, lines: file.text.split(/\r?\n/u) };
  } catch (error) {
    if (error instanceof SkillflowError) return error.message;
    if (error instanceof Error && 'code' in error) return 'its file is not readable';
    throw error;
  }
}

function rangeOf({ startLine, endLine }: ReportedFinding, lines: readonly string[]): SourceRange | null {
  const last = Math.min(endLine, lines.length);
  if (endLine < startLine || startLine > lines.length) return null;
  return { startLine, startColumn: 1, endLine: last, endColumn: (lines[last - 1] ?? '').length + 1 };
}

const slug = (text: string): string =>
  text
    .toLowerCase()
    .replace(/^model\//u, '')
    .replace(/[^a-z0-9]+/gu, '-')
    .replace(/^-+|-+$/gu, '')
    .slice(0, 60) || 'finding';

/** Lines around a finding in which its quotation may stand. */
const AROUND = 10;

/** Whether a quotation stands in the file near a finding's lines; how it is indented and broken does not matter. */
function quotes(lines: readonly string[], range: SourceRange, quoted: string, redact: (text: string) => string): boolean {
  const plain = (text: string): string => redact(text).replace(/\s+/gu, '');
  const wanted = plain(quoted);
  if (wanted === '') return false;
  const near = lines.slice(Math.max(0, range.startLine - 1 - AROUND), range.endLine + AROUND);
  return plain(near.join('\n').slice(0, MAX_SEARCHED)).includes(wanted);
}

/** Makes findings of what was reported; keeps count of equal ones, so that their ids differ. */
function createFindingMaker(request: AskRequest, { findingId, redact }: AnswerDeps) {
  const occurrences = new Map<string, number>();
  const short = (text: string, most: number): string => redact(text).replace(/\s+/gu, ' ').trim().slice(0, most);
  return async (reported: ReportedFinding): Promise<Finding | string> => {
    const source = await linesOf(request, reported.file);
    if (typeof source === 'string') return source;
    const range = rangeOf(reported, source.lines);
    if (range === null) return `${source.path} has no lines ${reported.startLine}–${reported.endLine}`;
    const rule = `model/${slug(reported.rule ?? 'finding')}`;
    const anchor = source.lines
      .slice(range.startLine - 1, range.endLine)
      .join('\n')
      .slice(0, MAX_ANCHOR);
    const key = [rule, source.path, anchor].join('\0');
    const occurrence = occurrences.get(key) ?? 0;
    occurrences.set(key, occurrence + 1);
    return {
      id: findingId({ rule, file: source.path, anchor, occurrence }),
      rule,
      severity: reported.severity,
      confidence: reported.confidence,
      capability: request.agent.capabilities[0] ?? request.agent.type,
      file: source.path,
      range,
      message: short(reported.message, 2_000),
      evidence: quotes(source.lines, range, reported.evidence, redact)
        ? short(reported.evidence, MAX_EVIDENCE)
        : short(anchor.slice(0, 2_000), MAX_EVIDENCE),
      ...(reported.advice === undefined || reported.advice === '' ? {} : { advice: short(reported.advice, 2_000) }),
    };
  };
}

function refusedNote(refused: readonly string[], redact: (text: string) => string): readonly Note[] {
  if (refused.length === 0) return [];
  const MOST_TOLD = 5;
  const told = refused.slice(0, MOST_TOLD).map((reason) => redact(reason));
  const message = `findings of the model that were refused: ${told.join('; ')}${refused.length > MOST_TOLD ? '; …' : ''}`;
  return [{ code: 'refused_findings', message, count: refused.length }];
}

async function workOutput(
  request: AskRequest,
  answer: z.output<typeof WORK_ANSWER>,
  reported: readonly ReportedFinding[],
  deps: AnswerDeps,
): Promise<StepOutput> {
  const make = createFindingMaker(request, deps);
  const made = new Map<string, Finding>();
  const refused: string[] = [];
  // What a merge sees stays: which of it survives is decided by ballots, not by who puts it together.
  const seen = request.kind === 'merge' ? request.sees.flatMap(({ output }) => output.findings) : [];
  for (const finding of seen) made.set(finding.id, finding);
  for (const finding of [...reported, ...answer.findings]) {
    const result = await make(finding);
    if (typeof result === 'string') refused.push(result);
    else made.set(result.id, result);
  }
  return {
    findings: [...made.values()],
    ballots: [],
    notes: [
      ...answer.notes.map((message): Note => ({ code: 'agent', message: deps.redact(message) })),
      ...refusedNote(refused, deps.redact),
    ],
    stats: { reported: reported.length + answer.findings.length, refused: refused.length },
    ...(answer.text === '' ? {} : { text: deps.redact(answer.text) }),
    confidence: answer.confidence,
  };
}

function judgeOutput(request: AskRequest, answer: z.output<typeof JUDGE_ANSWER>, deps: AnswerDeps): StepOutput {
  const subjects = new Set(
    request.sees.flatMap(({ agentId, output }) => (agentId === request.agent.id ? [] : output.findings.map(({ id }) => id))),
  );
  const ballots = new Map<string, Ballot>();
  let refused = 0;
  for (const { subject, vote, reason } of answer.ballots) {
    if (!subjects.has(subject) || ballots.has(subject)) refused += 1;
    else ballots.set(subject, { subject, voter: request.agent.id, vote, reason: deps.redact(reason) });
  }
  const missing = subjects.size - ballots.size;
  const notes: Note[] = [];
  if (refused > 0) {
    const message = 'ballots of the model that were refused: on what it did not see, or a second one on the same';
    notes.push({ code: 'refused_ballots', message, count: refused });
  }
  if (missing > 0) notes.push({ code: 'no_ballot', message: 'findings that the model did not vote on', count: missing });
  return {
    findings: [],
    ballots: [...ballots.values()],
    notes,
    stats: { ballots: ballots.size, refused },
    ...(answer.text === '' ? {} : { text: deps.redact(answer.text) }),
  };
}

/**
 * Checks an answer and makes a step's output of it. Findings must lie in readable files inside the root and in lines
 * that exist; ballots are the agent's own, one for each finding of others that it saw. What is not so is left out and
 * counted in a note; an answer of another shape, or over 1 MiB, is `bad_output`.
 *
 * @param answer the answer as JSON text or as a value
 * @param reported findings that the agent reported while it worked
 */
export async function toStepOutput(
  request: AskRequest,
  answer: unknown,
  deps: AnswerDeps,
  reported: readonly ReportedFinding[] = [],
): Promise<AnswerResult> {
  if (typeof answer === 'string' && Buffer.byteLength(answer) > MAX_ANSWER_BYTES) {
    return bad(`the answer has more than ${MAX_ANSWER_BYTES} bytes`);
  }
  const value = typeof answer === 'string' ? parsedJson(answer) : answer;
  if (value === undefined) return bad('the answer is not JSON');
  const wrong = (error: z.ZodError): AnswerResult => {
    const issues = error.issues.slice(0, 5).map(({ path, message }) => `${path.map(String).join('.') || 'answer'}: ${message}`);
    return bad(`the answer has the wrong shape: ${deps.redact(issues.join('; ')).slice(0, 1_000)}`);
  };
  if (request.kind === 'judge') {
    const parsed = JUDGE_ANSWER.safeParse(value);
    return parsed.success ? { ok: true, output: judgeOutput(request, parsed.data, deps) } : wrong(parsed.error);
  }
  const parsed = WORK_ANSWER.safeParse(value);
  if (!parsed.success) return wrong(parsed.error);
  return { ok: true, output: await workOutput(request, parsed.data, reported, deps) };
}
