import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestApp } from '../helpers/test-app.ts';
import { HUGE, testBadCalls } from './bad-calls.ts';
import { createToolCalls } from './tool-calls.ts';
import type { Output, ToolCalls } from './tool-calls.ts';

const ANSWER = { findings: [], text: 'seen', confidence: 0.9, notes: [] };
const FINDING = { rule: 'eval', severity: 'high', confidence: 'high', file: 'a.js', startLine: 1, endLine: 1 };
const HOSTILE = "x'); DROP TABLE step; --";

interface Step {
  readonly claimId: string;
  readonly runId: string;
  readonly stepId: string;
  readonly agentId: string;
  readonly epoch: number;
  readonly kind: string;
  readonly next: string;
}

let calls: ToolCalls;
beforeEach(async () => {
  calls = await createToolCalls();
  await writeFile(join(calls.app.dir, 'a.js'), 'eval(x);\n');
  await calls.output('swarm_create', { topology: 'mesh' });
  for (const type of ['reviewer', 'tester', 'analyst']) await calls.output('agent_spawn', { type });
});
afterEach(() => calls[Symbol.asyncDispose]());

const call = (tool: string, input: unknown) => calls.app.call(tool, input);
const castIn = ({ runId, stepId, epoch }: Step, ballots: unknown) => ({ runId, stepId, epoch, ballots });
const confirm = (subject: string, reason = 'seen') => ({ subject, vote: 'confirm', reason });

async function claim(runId: string, input: object = {}): Promise<Step> {
  const { step, reason } = await calls.output('task_claim', { taskId: runId, ...input });
  if (step === null) throw new Error(String(reason));
  return Object(step);
}

/** Every row that a call could change. */
const everything = (): Promise<unknown> =>
  calls.raw(`SELECT (SELECT json_group_array(id || status || epoch || attempt || coalesce(owner, '')) FROM step) AS steps,
    (SELECT json_group_array(id || status || coalesce(waiting, '')) FROM run) AS runs, (SELECT count(*) FROM event) AS events,
    (SELECT count(*) FROM poll_ballot) AS ballots, (SELECT json_group_array(id || status) FROM poll) AS polls`);

/** The journal without what differs in every run. */
async function journalOf(runId: string): Promise<readonly unknown[]> {
  const rows = [await calls.raw('SELECT type, body FROM event WHERE run_id = ? ORDER BY seq', [runId])].flat();
  return rows.map((row): unknown => {
    const { type, body } = Object(row);
    const parsed: unknown = JSON.parse(String(body).replaceAll(runId, '<run>'));
    const { durationMs: _took, task: _task, owner, ...rest } = Object(parsed);
    // Each call drives the run by a session of its own.
    return type === 'run_resumed' ? { type, ...rest } : { type, owner, ...rest };
  });
}

/** A run all of whose agents have worked; the first has found something, which the others are to judge. */
async function judged(): Promise<{ readonly runId: string; readonly subject: string; readonly finder: string }> {
  const { runId } = await calls.output('task_submit', { description: 'look', strategy: 'balanced' });
  const id = String(runId);
  let finder = '';
  for (const message of ['it evaluates', '', '']) {
    const step = await claim(id);
    if (message !== '') finder = step.agentId;
    const findings = message === '' ? [] : [{ ...FINDING, message, evidence: 'eval(x)' }];
    await calls.output('task_complete', { claimId: step.claimId, answer: { ...ANSWER, findings } });
  }
  const [row] = [await calls.raw("SELECT body FROM event WHERE run_id = ? AND type = 'finding_reported'", [id])].flat();
  return { runId: id, subject: String(JSON.parse(String(Object(row).body)).finding.id), finder };
}

describe('the ballots of a judging step', () => {
  test('count as its answer, with the same events as by task_complete; the claim says how', async () => {
    const votes = async (cast: (step: Step, ballots: unknown) => Promise<Output>): Promise<string> => {
      const { runId, subject, finder } = await judged();
      for (let n = 0; n < 3; n += 1) {
        const step = await claim(runId);
        expect(step.next).toContain(`vote_cast {"runId": "${runId}", "stepId": "${step.stepId}", "epoch": 1, "ballots": […]}`);
        await cast(step, step.agentId === finder ? [] : [confirm(subject, `by ${step.agentId}`)]);
      }
      return runId;
    };
    const byCast = await votes((step, ballots) => calls.output('vote_cast', castIn(step, ballots)));
    const byAnswer = await votes(({ claimId }, ballots) =>
      calls.output('task_complete', { claimId, answer: { ballots, text: '' } }),
    );
    expect(await journalOf(byCast)).toEqual(await journalOf(byAnswer));
    expect(await calls.raw('SELECT status, count(*) AS n FROM step WHERE run_id = ? GROUP BY 1', [byCast])).toEqual([
      { status: 'completed', n: 6 },
    ]);
    const shown = await calls.output('run_status', { runId: byCast });
    expect(shown).toMatchObject({ status: 'completed', findings: { confirmed: 1 }, topFindings: [{ rule: 'model/eval' }] });
    expect(await calls.output('run_replay', { runId: byCast })).toMatchObject({ identical: true });
  });

  test('the answer tells what waits, and nothing of how others voted', async () => {
    const { runId, subject, finder } = await judged();
    const steps = [await claim(runId), await claim(runId), await claim(runId)];
    const judges = steps.filter(({ agentId }) => agentId !== finder);
    const own = steps.find(({ agentId }) => agentId === finder);
    const [first, second] = judges;
    if (first === undefined || second === undefined || own === undefined) throw new Error('there are no judges');
    const one = await calls.output('vote_cast', castIn(first, [confirm(subject, 'SECRET-1')]));
    expect(one).toEqual({
      runId,
      stepId: first.stepId,
      status: 'awaiting_host',
      waiting: expect.arrayContaining([second.stepId, own.stepId]),
      waitingCount: 2,
      started: [],
      outputs: [],
      counted: 1,
      notes: [],
    });
    const two = await calls.output('vote_cast', castIn(second, [{ subject, vote: 'reject', reason: 'SECRET-2' }]));
    expect(two).toMatchObject({ status: 'awaiting_host', counted: 1 });
    const others = [
      one,
      two,
      await calls.output('run_status', { runId }),
      await calls.output('run_events', { runId, limit: 1000 }),
    ];
    expect(JSON.stringify(others)).not.toMatch(/SECRET/);
    const last = await calls.text('vote_cast', castIn(own, []));
    expect(last).toMatch(/status +completed/);
    expect(last).not.toMatch(/SECRET/);
    expect(JSON.stringify(await calls.output('run_events', { runId, limit: 1000 }))).toMatch(/SECRET-1[\s\S]*SECRET-2/);
  });

  test('ballots on what was not seen, or twice on the same, are told as refused', async () => {
    const { runId, subject, finder } = await judged();
    let step = await claim(runId);
    if (step.agentId === finder) step = await claim(runId);
    const voter = { voter: finder }; // nobody votes in another's name
    const cast = [{ ...confirm(subject), ...voter }, { subject, vote: 'reject', reason: 'r' }, confirm('f_0000000000000000')];
    const output = await calls.output('vote_cast', castIn(step, cast));
    expect(output).toMatchObject({ counted: 1, notes: [expect.stringMatching(/refused.*: 2$/)] });
    const rows = [await calls.raw("SELECT body FROM event WHERE run_id = ? AND type = 'ballot_cast'", [runId])].flat();
    expect(rows.map((row): unknown => JSON.parse(String(Object(row).body)).ballot)).toEqual([
      { subject, voter: step.agentId, vote: 'confirm', reason: 'seen' },
    ]);
    let other = await claim(runId);
    if (other.agentId === finder) other = await claim(runId);
    expect(await calls.output('vote_cast', castIn(other, []))).toMatchObject({
      counted: 0,
      notes: [expect.stringMatching(/did not vote on: 1$/)],
    });
  });

  test('second, late and foreign ones are refused, and change nothing', async () => {
    const { runId, subject } = await judged();
    const step = await claim(runId, { claimant: 'one', leaseSeconds: 1 });
    calls.now += 2_000;
    const taken = await claim(runId, { claimant: 'two', stepId: step.stepId });
    expect(taken.epoch).toBe(2);
    const before = await everything();
    for (const wrong of [castIn(step, [confirm(subject)]), { ...castIn(taken, []), epoch: 3 }]) {
      expect(await call('vote_cast', wrong)).toMatchObject({
        ok: false,
        error: {
          code: 'conflict',
          message: expect.stringMatching(/another has claimed it/),
          hint: expect.stringMatching(/task_claim/),
        },
      });
    }
    expect(await everything()).toStrictEqual(before);
    const both = await Promise.all([call('vote_cast', castIn(taken, [])), call('vote_cast', castIn(taken, []))]);
    expect(both.map(({ ok }) => ok).toSorted()).toEqual([false, true]);
    const cast = await everything();
    expect(await call('vote_cast', castIn(taken, []))).toMatchObject({
      ok: false,
      error: {
        code: 'conflict',
        message: expect.stringMatching(/is completed/),
        hint: expect.stringMatching(/no answer any more/),
      },
    });
    expect(await everything()).toStrictEqual(cast);
    const other = await claim(runId);
    await calls.output('run_cancel', { runId });
    const ended = await everything();
    expect(await call('vote_cast', castIn(other, []))).toMatchObject({
      ok: false,
      error: { code: 'conflict', message: expect.stringMatching(/has ended: it is cancelled/) },
    });
    expect(await everything()).toStrictEqual(ended);
  });

  test('a step that judges nothing is answered otherwise', async () => {
    const { runId } = await calls.output('task_submit', { description: 'look' });
    const step = await claim(String(runId));
    expect(step.next).not.toContain('vote_cast');
    const before = await everything();
    expect(await call('vote_cast', castIn(step, []))).toMatchObject({
      ok: false,
      error: {
        code: 'invalid_input',
        message: expect.stringMatching(/kind work, not of kind judge/),
        hint: expect.stringMatching(/task_complete/),
      },
    });
    expect(await everything()).toStrictEqual(before);
  });

  test('not in read-only mode', async () => {
    await using readOnly = await createTestApp({ flags: { readOnly: true } });
    const cast = { runId: 'run_x', stepId: 's', epoch: 1, ballots: [] };
    expect(await readOnly.call('vote_cast', cast)).toMatchObject({ ok: false, error: { code: 'forbidden' } });
  });
});

describe('a wrong call is refused and changes nothing', () => {
  const step = { runId: 'run_nope', stepId: 's', epoch: 1, ballots: [] };
  const poll = { pollId: 'poll_nope', voter: 'v', choice: 'yes', reason: 'r' };
  const ballot = { subject: 'f', vote: 'confirm', reason: 'r' };
  testBadCalls(
    [
      ['vote_cast', {}, 'invalid_input', /pollId is missing, and so is runId/],
      ['vote_cast', { voter: 'v', ballots: [] }, 'invalid_input', /pollId is missing, and so is runId/],
      ['vote_cast', { ...poll, ...step }, 'invalid_input', /pollId and runId exclude each other/],
      ['vote_cast', { ...poll, ballots: [ballot] }, 'invalid_input', /ballots does not go with pollId/],
      ['vote_cast', { ...poll, epoch: 1 }, 'invalid_input', /epoch does not go with pollId/],
      ['vote_cast', { ...step, choice: 'yes' }, 'invalid_input', /choice does not go with runId/],
      ['vote_cast', { ...step, abstain: true }, 'invalid_input', /abstain does not go with runId/],
      ['vote_cast', { ...step, voter: 'v' }, 'invalid_input', /voter does not go with runId/],
      ['vote_cast', { ...poll, voter: undefined }, 'invalid_input', /voter is missing/],
      ['vote_cast', { ...poll, reason: undefined }, 'invalid_input', /reason is missing/],
      ['vote_cast', { ...step, stepId: undefined }, 'invalid_input', /stepId is missing/],
      ['vote_cast', { ...step, epoch: undefined }, 'invalid_input', /epoch is missing/],
      ['vote_cast', { ...step, ballots: undefined }, 'invalid_input', /ballots is missing/],
      ['vote_cast', { ...step, epoch: 0 }, 'invalid_input', /epoch/],
      ['vote_cast', { ...step, epoch: '1' }, 'invalid_input', /epoch/],
      ['vote_cast', { ...step, epoch: 1e12 }, 'invalid_input', /epoch/],
      ['vote_cast', { ...step, ballots: 'yes' }, 'invalid_input', /ballots/],
      ['vote_cast', { ...step, ballots: [{ ...ballot, vote: 'maybe' }] }, 'invalid_input', /ballots\.0\.vote/],
      ['vote_cast', { ...step, ballots: [{ ...ballot, reason: '' }] }, 'invalid_input', /ballots\.0\.reason/],
      ['vote_cast', { ...step, ballots: [{ ...ballot, subject: HUGE }] }, 'invalid_input', /ballots\.0\.subject/],
      ['vote_cast', { ...step, ballots: Array.from({ length: 1001 }, () => ballot) }, 'invalid_input', /ballots/],
      ['vote_cast', { ...step, runId: HUGE }, 'invalid_input', /runId/],
      ['vote_cast', { ...step, runId: 7 }, 'invalid_input', /runId/],
      ['vote_cast', step, 'not_found', /run_nope/],
      ['vote_cast', { ...step, runId: HOSTILE }, 'not_found', /DROP TABLE/],
      ['vote_cast', { ...step, runId: '../..' }, 'not_found', /\.\./],
      ['vote_cast', poll, 'not_found', /poll_nope/],
    ],
    { call, everything, prepare: () => calls.output('task_submit', { description: 'look' }) },
  );

  test('a step that the run does not have', async () => {
    const { runId } = await judged();
    const before = await everything();
    for (const stepId of ['nope', HOSTILE, '__proto__']) {
      expect(await call('vote_cast', { runId, stepId, epoch: 1, ballots: [] })).toMatchObject({
        ok: false,
        error: { code: 'not_found', message: expect.stringContaining(JSON.stringify(stepId)) },
      });
    }
    expect(await everything()).toStrictEqual(before);
  });
});
