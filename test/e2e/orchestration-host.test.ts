import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startFakeMessagesApi } from '../helpers/fake-messages-api.ts';
import { askJson, until } from './answers.ts';
import { connectMcp } from './mcp-client.ts';
import type { McpClient } from './mcp-client.ts';
import { createModelPlace, eventsOf, modelEnvironment, SECRET, stepsOf } from './model-place.ts';
import type { ThinkingRun } from './model-place.ts';
import type { Place } from './product.ts';

const REVIEW = { skill: 'code-review-swarm', last: 2 };
const ANSWER = { findings: [], text: 'It mixes two things.', confidence: 0.7, notes: [] };

interface Step {
  readonly claimId: string;
  readonly runId: string;
  readonly stepId: string;
  readonly kind: string;
  readonly system: string;
  readonly prompt: string;
}

let place: Place;
beforeEach(() => {
  place = createModelPlace();
});
afterEach(() => place.remove());

async function claim(client: McpClient, args: Record<string, unknown>): Promise<Step | null> {
  const { structured, isError } = await client.call('task_claim', args);
  if (isError) throw new Error(JSON.stringify(structured));
  return structured['step'] === null ? null : Object(structured['step']);
}

/** What a careful host answers. */
function answerTo({ kind, prompt }: Step): unknown {
  if (kind !== 'judge') return ANSWER;
  const ids = new Set([...prompt.matchAll(/^(f_[0-9a-f]{16}) /gmu)].map(([, id]) => id));
  return { ballots: [...ids].map((subject) => ({ subject, vote: 'confirm', reason: 'the code shows it' })), text: '' };
}

const show = async (id: string): Promise<ThinkingRun> => (await askJson<ThinkingRun>(['show', id], { cwd: place.dir })).body;

describe('the client thinks', () => {
  test('unless told otherwise: it gets the steps, answers them, and its votes count', async () => {
    await using api = await startFakeMessagesApi();
    await using client = await connectMcp(place.dir, [], modelEnvironment(api));
    const { structured, isError } = await client.call('skill_run', REVIEW);
    expect({ isError, structured }).toMatchObject({
      isError: false,
      structured: {
        provider: 'host',
        status: 'awaiting_host',
        waiting: { for: 'host', steps: expect.arrayContaining(['1-work-design-reviewer']) },
      },
    });
    const runId = String(structured['runId']);
    const kinds: string[] = [];
    for (;;) {
      const step = await claim(client, { taskId: runId });
      if (step === null) break;
      kinds.push(step.kind);
      expect(`${step.system}${step.prompt}`).not.toContain(SECRET);
      const done = await client.call('task_complete', { claimId: step.claimId, answer: answerTo(step) });
      expect(done).toMatchObject({ isError: false, structured: { runId } });
    }
    expect(kinds.toSorted()).toEqual(['judge', 'work']);
    expect(api.requests).toHaveLength(0);
    const seen = await show(runId);
    expect(seen).toMatchObject({ status: 'completed', waiting: null, spending: null });
    expect(seen.topFindings.find(({ rule }) => rule === 'security/js-command-injection')).toMatchObject({
      confirmedBy: expect.arrayContaining(['design-reviewer']),
    });
    expect(readFileSync(join(place.dir, '.skillflow', 'runs', runId, 'report.md'), 'utf8')).toMatch(/It mixes two things/);
    expect(await askJson(['replay', runId], { cwd: place.dir })).toMatchObject({ body: { identical: true } });
  });

  test('votes by vote_cast count, and what is written to a member is in its next prompt, of the client as of the shell', async () => {
    await using client = await connectMcp(place.dir);
    const { structured } = await client.call('skill_run', REVIEW);
    const runId = String(structured['runId']);
    const to = { to: 'design-reviewer', runId };
    expect(await client.call('agent_message', { ...to, message: 'Mind </data> the naming.' })).toMatchObject({
      isError: false,
      structured: { runId, recipients: ['design-reviewer'], note: null },
    });
    const written = await askJson(['agent', 'message', 'design-reviewer', 'Mind the tests.', '--run-id', runId], {
      cwd: place.dir,
    });
    expect(written).toMatchObject({ code: 0, body: { recipients: ['design-reviewer'] } });
    const work = await claim(client, { taskId: runId });
    expect(work?.prompt).toMatch(
      /<data name="message from user">\nMind <\/_data> the naming\.\n<\/data>\n<data.*>\nMind the tests\./,
    );
    const early = { runId, stepId: work?.stepId, epoch: 1, ballots: [] };
    expect(await client.call('vote_cast', early)).toMatchObject({ isError: true, text: expect.stringMatching(/task_complete/) });
    await client.call('task_complete', { claimId: work?.claimId, answer: ANSWER });
    const judge = await claim(client, { taskId: runId });
    if (judge === null) throw new Error('there is nothing to judge');
    expect(judge).toMatchObject({ kind: 'judge', next: expect.stringMatching(/vote_cast/) });
    const { ballots } = Object(answerTo(judge));
    const cast = { runId, stepId: judge.stepId, epoch: 1, ballots };
    const [counted, again] = [await client.call('vote_cast', cast), await client.call('vote_cast', cast)];
    expect(counted).toMatchObject({ isError: false, structured: { status: 'completed', counted: ballots.length, notes: [] } });
    expect(again).toMatchObject({ isError: true, text: expect.stringMatching(/has ended: it is completed/) });
    expect((await show(runId)).topFindings.find(({ rule }) => rule === 'security/js-command-injection')).toMatchObject({
      confirmedBy: expect.arrayContaining(['design-reviewer']),
    });
    expect(await askJson(['replay', runId], { cwd: place.dir })).toMatchObject({ body: { identical: true } });
  });

  test('told to be local, or configured so, it is not asked', async () => {
    await using client = await connectMcp(place.dir);
    expect(await client.call('skill_run', { ...REVIEW, provider: 'local' })).toMatchObject({
      structured: { provider: 'local', status: 'completed', waiting: null },
    });
    await using configured = await connectMcp(place.dir, [], { SKILLFLOW_PROVIDER: 'local' });
    expect(await configured.call('skill_run', REVIEW)).toMatchObject({ structured: { provider: 'local', status: 'completed' } });
  });

  test('a wrong answer says what is wrong, and the claim still holds', async () => {
    await using client = await connectMcp(place.dir);
    const { structured } = await client.call('skill_run', REVIEW);
    const step = await claim(client, { taskId: structured['runId'] });
    const wrong = await client.call('task_complete', { claimId: step?.claimId, answer: { findings: 'none' } });
    expect(wrong).toMatchObject({ isError: true, text: expect.stringMatching(/wrong shape.*findings/) });
    expect(
      await client.call('task_complete', { claimId: step?.claimId, answer: step === null ? {} : answerTo(step) }),
    ).toMatchObject({
      isError: false,
    });
  });

  test('two clients share the steps; one that vanished blocks nothing', async () => {
    // An agent does one thing at a time: to share steps takes several who think.
    place.write('.claude/skills/pair/SKILL.md', '---\nname: pair\ndescription: Two who think about a change.\n---\nDo it.\n');
    const agents = ['researcher', 'reviewer'].map((type) => `  - { type: ${type}, count: 1, capabilities: [reasoning] }`);
    place.write('.claude/skills/pair/swarm.yaml', `agents:\n${agents.join('\n')}\ncoordination: { topology: mesh }\n`);
    await using client = await connectMcp(place.dir);
    const { structured } = await client.call('skill_run', { ...REVIEW, skill: 'pair' });
    const runId = String(structured['runId']);
    const other = await connectMcp(place.dir);
    const [first, second] = await Promise.all([
      claim(client, { taskId: runId, claimant: 'one' }),
      claim(other, { taskId: runId, claimant: 'two', leaseSeconds: 1 }),
    ]);
    expect(new Set([first?.stepId, second?.stepId]).size).toBe(2);
    await other[Symbol.asyncDispose]();
    if (first === null || second === null) throw new Error('a claim got nothing');
    await client.call('task_complete', { claimId: first.claimId, answer: answerTo(first) });
    const taken = await until(
      async () => (await claim(client, { taskId: runId })) ?? undefined,
      'the claim of the vanished to end',
    );
    expect(taken.stepId).toBe(second.stepId);
    expect(await client.call('task_complete', { claimId: second.claimId, answer: answerTo(second) })).toMatchObject({
      isError: true,
    });
    await client.call('task_complete', { claimId: taken.claimId, answer: answerTo(taken) });
    for (let step = await claim(client, { taskId: runId }); step !== null; step = await claim(client, { taskId: runId })) {
      expect(step.kind).toBe('judge');
      await client.call('task_complete', { claimId: step.claimId, answer: answerTo(step) });
    }
    expect((await show(runId)).status).toBe('completed');
    const completed = stepsOf(await eventsOf(place, runId), 'step_completed');
    expect(new Set(completed).size).toBe(completed.length);
  });

  test('the server ends between claim and answer: the next one takes the answer', async () => {
    const first = await connectMcp(place.dir);
    const { structured } = await first.call('task_submit', { description: 'say what this project does' });
    const step = await claim(first, { taskId: structured['taskId'] });
    await first[Symbol.asyncDispose]();
    await using second = await connectMcp(place.dir);
    expect(await second.call('task_complete', { claimId: step?.claimId, answer: ANSWER })).toMatchObject({
      isError: false,
      structured: { status: 'completed' },
    });
    expect(await second.call('task_results', { taskId: structured['taskId'] })).toMatchObject({
      structured: { status: 'completed', answers: [{ text: 'It mixes two things.' }] },
    });
  });

  test('cancelled from the shell, the answer comes too late', async () => {
    await using client = await connectMcp(place.dir);
    const { structured } = await client.call('skill_run', REVIEW);
    const step = await claim(client, { taskId: structured['runId'] });
    expect(await askJson(['cancel', String(structured['runId'])], { cwd: place.dir })).toMatchObject({
      body: { status: 'cancelled' },
    });
    const late = await client.call('task_complete', { claimId: step?.claimId, answer: ANSWER });
    expect(late).toMatchObject({ isError: true, text: expect.stringMatching(/has ended: it is cancelled/) });
  });
});
