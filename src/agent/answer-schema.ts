import * as z from 'zod';
import type { AskRequest } from './provider.ts';
import { SEVERITIES } from '../finding.ts';

/** Limits of an answer; more makes it malformed. Characters unless said otherwise. */
const LIMITS = { text: 50_000, message: 2_000, reason: 2_000, path: 1_024, rule: 120, findings: 200, ballots: 1_000, notes: 50 };

/** A finding as a model reports it. */
export const FINDING_INPUT = z.object({
  rule: z.string().max(LIMITS.rule).optional().describe('A short kebab-case name of the kind of problem'),
  severity: z.enum(SEVERITIES),
  confidence: z.enum(['high', 'medium', 'low']).describe('How sure you are'),
  file: z.string().min(1).max(LIMITS.path).describe('Path from the project root'),
  startLine: z.number().int().min(1).max(10_000_000).describe('From 1'),
  endLine: z.number().int().min(1).max(10_000_000).describe('Inclusive, not before startLine'),
  message: z.string().min(1).max(LIMITS.message).describe('One sentence: what is wrong here'),
  evidence: z.string().max(LIMITS.message).describe('The text or fact that shows it; no secrets'),
  advice: z.string().max(LIMITS.message).optional().describe('What to do instead, one sentence'),
});
export type ReportedFinding = z.output<typeof FINDING_INPUT>;

export const WORK_ANSWER = z.object({
  findings: z.array(FINDING_INPUT).max(LIMITS.findings),
  text: z.string().max(LIMITS.text).describe('Your answer in words, markdown; empty where the findings say it all'),
  confidence: z.number().min(0).max(1).describe('How sure you are of your text, from 0 to 1'),
  notes: z.array(z.string().max(LIMITS.message)).max(LIMITS.notes).describe('What you did not look at, and why'),
});

export const JUDGE_ANSWER = z.object({
  ballots: z
    .array(
      z.object({
        subject: z.string().min(1).max(200).describe("A finding's id"),
        vote: z.enum(['confirm', 'reject', 'abstain']),
        reason: z.string().min(1).max(LIMITS.reason).describe('One sentence from your own evidence'),
      }),
    )
    .max(LIMITS.ballots),
  text: z.string().max(LIMITS.text).describe('What you want to add, markdown; may be empty'),
});

/** The schema of an answer to a question of this kind. */
export function answerSchema(kind: AskRequest['kind']): typeof WORK_ANSWER | typeof JUDGE_ANSWER {
  return kind === 'judge' ? JUDGE_ANSWER : WORK_ANSWER;
}

/** The same as JSON Schema (draft 2020-12), for hosts and programs that think for an agent. */
export function answerJsonSchema(kind: AskRequest['kind']): Readonly<Record<string, unknown>> {
  return z.toJSONSchema(answerSchema(kind));
}
