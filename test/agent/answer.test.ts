import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answerJsonSchema } from '../../src/agent/answer-schema.ts';
import { MAX_ANSWER_BYTES, toStepOutput } from '../../src/agent/answer.ts';
import type { AskRequest, SeenOutput } from '../../src/agent/provider.ts';
import type { Finding } from '../../src/finding.ts';
import { useScratch } from '../store/scratch.ts';
import { ANSWER_DEPS, askRequest, changeSet, NOTHING_FOUND } from './ask-request.ts';

const scratch = useScratch();
const TOKEN = 'ghp_0123456789abcdefABCDEF0123456789abcd';

async function request(parts: Partial<AskRequest> = {}): Promise<AskRequest> {
  return askRequest(await changeSet(await scratch.folder(), { 'a.ts': 'one\ntwo\nthree' }), parts);
}

const finding = (parts: Record<string, unknown> = {}) => ({
  rule: 'Model/Some Rule!',
  severity: 'high',
  confidence: 'low',
  file: 'a.ts',
  startLine: 2,
  endLine: 2,
  message: 'm',
  evidence: 'e',
  ...parts,
});

const outputOf = async (asked: AskRequest, answer: unknown) => {
  const result = await toStepOutput(asked, answer, ANSWER_DEPS);
  if (!result.ok) throw new Error(result.reason);
  return result.output;
};

const RANGE = { startLine: 1, startColumn: 1, endLine: 1, endColumn: 2 };
const SEEN_FINDING: Finding = {
  id: 'f_1',
  rule: 'r/x',
  severity: 'low',
  confidence: 'low',
  capability: 'c',
  file: 'a.ts',
  range: RANGE,
  message: 'm',
  evidence: 'e',
};
const seen = (agentId: string, ...ids: string[]): SeenOutput => ({
  stepId: `1-work-${agentId}`,
  agentId,
  output: { findings: ids.map((id) => ({ ...SEEN_FINDING, id })), ballots: [], notes: [], stats: {} },
});

describe('findings', () => {
  test('get a stable id, a rule of the model’s family, and the range of whole lines', async () => {
    const first = await outputOf(await request(), { ...NOTHING_FOUND, findings: [finding(), finding()] });
    const again = await outputOf(await request(), JSON.stringify({ ...NOTHING_FOUND, findings: [finding()] }));
    expect(first.findings).toHaveLength(2);
    expect(first.findings[0]).toEqual(again.findings[0]);
    expect(first.findings[0]?.id).not.toBe(first.findings[1]?.id);
    expect(first.findings[0]).toMatchObject({
      id: expect.stringMatching(/^f_[0-9a-f]{16}$/u),
      rule: 'model/some-rule',
      capability: 'review',
      range: { startLine: 2, startColumn: 1, endLine: 2, endColumn: 4 },
    });
  });

  test('that cannot be are refused and counted', async () => {
    const output = await outputOf(await request(), {
      ...NOTHING_FOUND,
      findings: [
        finding({ file: '../x' }),
        finding({ file: 'missing.ts' }),
        finding({ file: '.git/config' }),
        finding({ startLine: 9, endLine: 9 }),
        finding({ startLine: 3, endLine: 2 }),
        finding({ startLine: 3, endLine: 900 }),
      ],
    });
    expect(output.findings.map(({ range }) => range.endLine)).toEqual([3]);
    expect(output.notes).toMatchObject([{ code: 'refused_findings', count: 5 }]);
  });

  test('quote the file, or are shown with its own lines', async () => {
    const output = await outputOf(await request(), {
      ...NOTHING_FOUND,
      findings: [
        finding({ evidence: 'two\n  three' }),
        finding({ rule: 'b', evidence: 'eval(everything) // not in the file' }),
        finding({ rule: 'c', evidence: '' }),
      ],
    });
    expect(output.findings.map(({ evidence }) => evidence)).toEqual(['two three', 'two', 'two']);
  });

  test('print no secrets, and no more than 400 characters of evidence', async () => {
    const output = await outputOf(await request(), {
      ...NOTHING_FOUND,
      text: `see ${TOKEN}`,
      findings: [finding({ evidence: 'x y '.repeat(300), message: `token ${TOKEN}`, advice: TOKEN })],
    });
    expect(output.findings[0]?.evidence.length).toBeLessThanOrEqual(400);
    expect(JSON.stringify(output)).not.toContain(TOKEN);
  });

  test('of others stay in a merge', async () => {
    const output = await outputOf(await request({ kind: 'merge', sees: [seen('b', 'f_1', 'f_2')] }), NOTHING_FOUND);
    expect(output.findings.map(({ id }) => id)).toEqual(['f_1', 'f_2']);
  });
});

describe('ballots', () => {
  test('are the agent’s own, one for each finding of others that it saw', async () => {
    const asked = await request({ kind: 'judge', sees: [seen('b', 'f_1', 'f_2'), seen('reviewer-1', 'f_own')] });
    const ballot = (subject: string, vote = 'confirm') => ({ subject, vote, reason: 'r', voter: 'somebody-else' });
    const output = await outputOf(asked, {
      ballots: [ballot('f_1'), ballot('f_1', 'reject'), ballot('f_own'), ballot('f_9')],
      text: '',
    });
    expect(output.ballots).toEqual([{ subject: 'f_1', voter: 'reviewer-1', vote: 'confirm', reason: 'r' }]);
    expect(output.notes).toMatchObject([
      { code: 'refused_ballots', count: 3 },
      { code: 'no_ballot', count: 1 },
    ]);
  });
});

describe('what is no answer', () => {
  test('is bad output, whatever it is', async () => {
    const asked = await request();
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.anything(), fc.string(), fc.json()), async (answer) => {
        expect(await toStepOutput(asked, answer, ANSWER_DEPS)).toMatchObject({ ok: false, code: 'bad_output' });
      }),
      { numRuns: 300, seed: 5 },
    );
  });

  test('is one that is too large', async () => {
    const text = ' '.repeat(MAX_ANSWER_BYTES + 1);
    expect(await toStepOutput(await request(), text, ANSWER_DEPS)).toMatchObject({ ok: false });
    const many = { ...NOTHING_FOUND, findings: Array.from({ length: 201 }, () => finding()) };
    expect(await toStepOutput(await request(), many, ANSWER_DEPS)).toMatchObject({ ok: false });
  });

  test('is not one in a markdown fence', async () => {
    expect(
      await toStepOutput(await request(), `\`\`\`json\n${JSON.stringify(NOTHING_FOUND)}\n\`\`\``, ANSWER_DEPS),
    ).toMatchObject({ ok: true });
  });
});

test('the schemas for hosts name what is required', () => {
  expect(answerJsonSchema('work')).toMatchObject({ type: 'object', required: ['findings', 'text', 'confidence', 'notes'] });
  expect(answerJsonSchema('judge')).toMatchObject({ type: 'object', required: ['ballots', 'text'] });
});
