import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { AskRequest, AskResult } from '../../src/agent/provider.ts';
import { testRuntime, useScratch } from '../store/scratch.ts';
import { EMPTY, createRunPlace, finding, reviewing, scripted } from './run-place.ts';
import type { RunPlace } from './run-place.ts';

const { folder, onCleanUp } = useScratch();
const setup = async (): Promise<RunPlace> => createRunPlace(await folder(), onCleanUp);

describe('a run', () => {
  test('asks every agent, records ballots and decisions, and writes the outputs', async () => {
    const { run, runs, events, dir } = await setup();
    const runId = await run(scripted(reviewing));
    expect(await runs.get(runId)).toMatchObject({
      status: 'completed',
      summary: { findings: 2, confirmed: 0, rejected: 1, undecided: 1 },
    });
    const journal = await events(runId);
    expect(journal.map(({ seq }) => seq)).toEqual(journal.map((_event, index) => index + 1));
    const decisions = journal.flatMap((event) => (event.type === 'decision_made' ? [event.decision] : []));
    expect(decisions).toMatchObject([
      { subject: 'f1', outcome: 'tie', confirms: 1, rejects: 1, eligible: 2 },
      { subject: 'f2', outcome: 'rejected', confirms: 0, rejects: 1, abstains: 1 },
    ]);
    expect(journal.filter(({ type }) => type === 'ballot_cast')).toHaveLength(4);
    expect(journal.at(-1)).toMatchObject({ type: 'run_completed' });
    const outputs = (await runs.get(runId)).summary?.outputs ?? [];
    expect(outputs.map((path) => path.split('/').at(-1)).toSorted()).toEqual(['report.json', 'report.md', 'report.sarif']);
    for (const output of outputs) expect(existsSync(join(dir, output))).toBe(true);
    const report: unknown = JSON.parse(readFileSync(join(dir, '.skillflow', 'runs', runId, 'report.json'), 'utf8'));
    expect(report).toMatchObject({ schema: 'skillflow.report/1', run: { id: runId } });
  });

  test('a secret in the task is kept nowhere', async () => {
    const { dir, db, events, request } = await setup();
    const token = ['gh', 'p_', 'a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'].join('');
    const runId = await request(scripted(reviewing), `review what uses ${token}`);
    const kept = [
      JSON.stringify(await events(runId)),
      JSON.stringify(await db.all('SELECT * FROM run')),
      readFileSync(join(dir, '.skillflow', 'runs', runId, 'report.json'), 'utf8'),
    ];
    for (const text of kept) expect(text).not.toContain(token);
  });

  test('what a hub finds while merging is its own; what it passes on stays the finders', async () => {
    const { run, events, runs } = await setup();
    const runId = await run(
      scripted(({ kind, agent, sees }) => {
        const own = agent.type === 'finder' ? finding('hub') : finding(agent.type);
        const seen = kind === 'merge' ? sees.flatMap(({ output }) => output.findings) : [];
        return { status: 'completed', output: { ...EMPTY, findings: [...seen, own] } };
      }),
      { topology: 'star' },
    );
    const reported = (await events(runId)).flatMap((event) =>
      event.type === 'finding_reported' ? [[event.agentId, event.finding.id]] : [],
    );
    expect(reported).toEqual([
      ['judge', 'judge'],
      ['critic', 'critic'],
      ['finder', 'hub'],
    ]);
    expect((await runs.get(runId)).summary).toMatchObject({ findings: 3, undecided: 3 });
  });

  test('in a ring an agent that repeats what it saw is not its reporter', async () => {
    const { run, events, runs } = await setup();
    const runId = await run(
      scripted(({ kind, agent, sees }) => {
        const seen = kind === 'work' ? sees.flatMap(({ output }) => output.findings) : [];
        return { status: 'completed', output: { ...EMPTY, findings: [...seen, finding(agent.type)] } };
      }),
      { topology: 'ring' },
    );
    const reported = (await events(runId)).flatMap((event) =>
      event.type === 'finding_reported' ? [[event.agentId, event.finding.id]] : [],
    );
    expect(reported).toEqual([
      ['finder', 'finder'],
      ['judge', 'judge'],
      ['critic', 'critic'],
    ]);
    expect((await runs.get(runId)).summary).toMatchObject({ findings: 3 });
  });

  test('a finder does not vote on its own finding, and strangers do not vote at all', async () => {
    const { run, events } = await setup();
    const runId = await run(
      scripted((request) => {
        if (request.kind === 'work') return reviewing(request);
        const voters = request.agent.type === 'finder' ? ['finder', 'nobody', 'judge'] : [];
        return {
          status: 'completed',
          output: { ...EMPTY, ballots: voters.map((voter) => ({ subject: 'f1', voter, vote: 'confirm' as const, reason: 'r' })) },
        };
      }),
    );
    const decisions = (await events(runId)).flatMap((event) => (event.type === 'decision_made' ? [event.decision] : []));
    expect(decisions[0]).toMatchObject({ subject: 'f1', outcome: 'no_quorum', confirms: 0, eligible: 2 });
    expect((await events(runId)).filter(({ type }) => type === 'ballot_cast')).toMatchObject([{ ballot: { voter: 'finder' } }]);
  });

  test('retries what may be retried, as often as the skill says, and records each attempt', async () => {
    const { run, runs, events } = await setup();
    let failures = 0;
    const provider = scripted((request) => {
      if (request.agent.type === 'judge' && request.kind === 'work' && (failures += 1) < 3)
        return { status: 'failed', code: 'busy', reason: 'later', retryable: true };
      return reviewing(request);
    });
    const runId = await run(provider);
    expect(provider.asked.filter((id) => id === '1-work-judge')).toHaveLength(3);
    expect((await runs.get(runId)).status).toBe('completed');
    const failed = (await events(runId)).filter(({ type }) => type === 'step_failed');
    expect(failed).toMatchObject([
      { attempt: 1, willRetry: true },
      { attempt: 2, willRetry: true },
    ]);
    expect((await runs.steps(runId)).find(({ stepId }) => stepId === '1-work-judge')).toMatchObject({
      status: 'completed',
      attempt: 3,
    });
  });

  test('goes on without an agent that failed or cannot run, and the report says so', async () => {
    const { run, runs, dir } = await setup();
    const runId = await run(
      scripted((request) => {
        if (request.agent.type === 'judge') return { status: 'failed', code: 'x', reason: 'it broke', retryable: false };
        if (request.agent.type === 'critic') return { status: 'skipped', code: 'no_provider', reason: 'needs a model' };
        return reviewing(request);
      }),
    );
    expect(await runs.get(runId)).toMatchObject({ status: 'completed', summary: { findings: 2, undecided: 2 } });
    const markdown = readFileSync(join(dir, '.skillflow', 'runs', runId, 'report.md'), 'utf8');
    expect(markdown).toContain('it broke');
    expect(markdown).toContain('needs a model');
  });

  test('fails, with the reason, when nobody could do anything', async () => {
    const { run, runs, dir } = await setup();
    const runId = await run(scripted(() => ({ status: 'failed', code: 'x', reason: 'no parser', retryable: false })));
    expect(await runs.get(runId)).toMatchObject({ status: 'failed', summary: { reason: 'no parser' } });
    expect(existsSync(join(dir, '.skillflow', 'runs', runId))).toBe(false);
  });

  test('is recorded as cancelled when the caller cancels, and as failed when its time is over', async () => {
    const { run, runs, events } = await setup();
    const stop = new AbortController();
    const hang = (request: AskRequest): Promise<AskResult> =>
      new Promise((resolve) => {
        stop.abort();
        request.signal.addEventListener('abort', () =>
          resolve({ status: 'failed', code: 'cancelled', reason: 'stopped', retryable: true }),
        );
        if (request.signal.aborted) resolve({ status: 'failed', code: 'cancelled', reason: 'stopped', retryable: true });
      });
    const cancelled = await run(scripted(hang), {}, stop.signal);
    expect((await runs.get(cancelled)).status).toBe('cancelled');
    expect((await events(cancelled)).at(-1)).toMatchObject({ type: 'run_cancelled' });
    const late = await run(scripted(hang), { timeoutMs: 30 });
    expect(await runs.get(late)).toMatchObject({ status: 'failed' });
    expect((await events(late)).at(-1)).toMatchObject({ type: 'run_failed', code: 'deadline' });
  });

  test('begins nothing when what changed cannot be read', async () => {
    const { db, run } = await createRunPlace(await folder(), onCleanUp, { collect: () => Promise.reject(new Error('no git')) });
    await expect(run(scripted(reviewing))).rejects.toThrow('no git');
    expect(await db.all('SELECT id FROM run')).toEqual([]);
  });
});

describe('what runs there were', () => {
  test('a run whose process is gone, or whose lease ran out, was interrupted', async () => {
    const { run, runs, db } = await setup();
    const runId = await run(scripted(reviewing));
    const runtime = testRuntime();
    const pretend = async (pid: number, host: string, leaseUntil: number): Promise<string> => {
      await db.run("UPDATE run SET status = 'running', owner_pid = ?, owner_host = ?, lease_until = ? WHERE id = ?", [
        pid,
        host,
        leaseUntil,
        runId,
      ]);
      return (await runs.get(runId)).status;
    };
    const later = runtime.now() + 30_000;
    expect(await pretend(runtime.pid, runtime.host, later)).toBe('running');
    expect(await pretend(999_999_999, runtime.host, later)).toBe('interrupted');
    expect(await pretend(999_999_999, 'another-host', later)).toBe('running');
    expect(await pretend(runtime.pid, runtime.host, runtime.now() - 1)).toBe('interrupted');
  });

  test('the beginning of an id is enough where it is unique', async () => {
    const { run, runs } = await setup();
    const first = await run(scripted(reviewing));
    expect((await runs.get(first.slice(0, -2))).runId).toBe(first);
    await run(scripted(reviewing));
    await expect(runs.get('run_0')).rejects.toThrow(/no run|several/);
    await expect(runs.get("run_' OR 1=1 --")).rejects.toThrow('no run');
    expect(await runs.count()).toBe(2);
  });

  test('events cannot be changed', async () => {
    const { run, db } = await setup();
    const runId = await run(scripted(reviewing));
    await expect(db.run("UPDATE event SET type = 'x' WHERE run_id = ?", [runId])).rejects.toThrow();
    await expect(db.run('DELETE FROM event WHERE run_id = ?', [runId])).rejects.toThrow();
  });
});
