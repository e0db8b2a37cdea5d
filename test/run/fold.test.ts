import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EventBody, RunEvent } from '../../src/events.ts';
import { createFold, fold } from '../../src/run/fold.ts';
import type { Fold } from '../../src/run/fold.ts';
import type { FoldedRun } from '../../src/run/fold.ts';
import { createJournal } from '../../src/run/journal.ts';
import { createRunLog } from '../../src/run/run-log.ts';
import type { Claim, RunLog } from '../../src/run/run-log.ts';
import { connect } from '../../src/store/connection.ts';
import type { Database } from '../../src/store/database.ts';
import { createLocalDatabase } from '../../src/store/local-database.ts';
import { migrateTo } from '../../src/store/migration.ts';
import { testRuntime, useScratch } from '../store/scratch.ts';
import { beginning, EMPTY, finding, NO_SUMMARY } from './run-samples.ts';

const SEED = Number(process.env['RELIABILITY_SEED'] ?? 20_261_121);
const RUNS = 200;

const { onCleanUp } = useScratch();

/** One thing that happens; `n` picks which step, owner or outcome it happens to. */
interface Happening {
  readonly what: (typeof HAPPENINGS)[number];
  readonly n: number;
}
const HAPPENINGS = [
  ...Array.from({ length: 12 }, () => 'claim' as const),
  ...Array.from({ length: 4 }, () => 'complete' as const),
  ...Array.from({ length: 4 }, () => 'fail' as const),
  ...Array.from({ length: 3 }, () => 'reset' as const),
  ...Array.from({ length: 3 }, () => 'late answer' as const),
  'fail for good',
  'stop',
  'skip',
  'die',
  'time',
  'renew',
  'pause',
  'ask approval',
  'approve',
  'wait for host',
  'wake',
  'cancel',
  'end',
  'repeat',
  'grow',
] as const;
const happenings = fc.array(fc.record({ what: fc.constantFrom(...HAPPENINGS), n: fc.nat({ max: 1_000 }) }), {
  minLength: 5,
  maxLength: 80,
  size: 'max',
});

const USAGE = { model: 'm', inputTokens: 3, outputTokens: 2, cacheReadTokens: 1, cacheWriteTokens: 0, requests: 1 };
/** The part of a run's state that the tables hold too. */
function stateOf(state: FoldedRun): unknown {
  const { used, usage } = state;
  return {
    run: {
      status: state.status,
      waiting: state.waiting,
      cancelled: state.cancelAsked === null ? 0 : 1,
      ended: state.endedAt,
    },
    steps: [...state.steps.values()]
      .map((step) => ({
        id: step.id,
        agent: step.agentId,
        kind: step.kind,
        round: step.round,
        status: step.status,
        attempt: step.attempt,
        epoch: step.epoch,
        owner: step.status === 'running' ? step.owner : null,
        started: step.startedAt,
        ended: step.endedAt,
        code: step.code,
        reason: step.reason,
      }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    spent: { attempts: usage.length, tokens: used.get('')?.tokens ?? 0, dollars: used.get('')?.costUsd ?? 0 },
    attempts: used.get('')?.steps ?? 0,
  };
}

async function tablesOf(db: Database, runId: string): Promise<unknown> {
  const run = await db.get(
    'SELECT status, waiting, cancel_asked_at IS NOT NULL AS cancelled, ended_at AS ended FROM run WHERE id = ?',
    [runId],
  );
  const steps = await db.all(
    `SELECT id, agent_id AS agent, kind, round, status, attempt, epoch, owner, started_at AS started, ended_at AS ended, code, reason
     FROM step WHERE run_id = ? ORDER BY id`,
    [runId],
  );
  const spent = await db.get(
    `SELECT count(*) AS attempts, total(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens) AS tokens,
      total(cost_usd) AS dollars FROM spend WHERE run_id = ?`,
    [runId],
  );
  const attempts = await db.get('SELECT total(attempt) AS n FROM step WHERE run_id = ?', [runId]);
  return { run, steps, spent, attempts: attempts?.['n'] };
}

interface World {
  readonly log: RunLog;
  readonly runId: string;
  readonly claims: Claim[];
  /** Claims whose owner lost them, or was not heard of for long. */
  readonly old: Claim[];
  readonly dead: Set<number>;
  readonly clock: { now: number };
  readonly faults: string[];
}

/** Takes a claim out of those that are held. */
function take({ claims, old }: World, n: number): Claim | undefined {
  const [claim] = claims.splice(n % Math.max(1, claims.length), 1);
  if (claim !== undefined) old.push(claim);
  return claim;
}

async function claim(world: World, state: FoldedRun, n: number): Promise<void> {
  const steps = [...state.steps.values()];
  const step = steps[n % Math.min(4, steps.length)];
  if (step === undefined) return;
  // Few owners, so that one takes up again what it lost before.
  const pid = 1 + (n % 3);
  world.dead.delete(pid);
  const owner = `h/${pid}/o`;
  const request = { runId: world.runId, step, owner, provider: 'anthropic', paid: n % 2 === 0, leaseMs: 1_000 };
  const claimed = await world.log.claim({ ...request, maxSteps: { run: 40, agent: null } });
  if (claimed === null) return;
  const at = world.claims.findIndex(({ stepId }) => stepId === step.id);
  if (at >= 0) world.old.push(...world.claims.splice(at, 1)); // its owner was gone
  world.claims.push(claimed.claim);
}

async function settle(world: World, what: Happening['what'], n: number): Promise<void> {
  const { log, clock } = world;
  const held = take(world, n);
  if (held === undefined) return;
  const { stepId, agentId } = held;
  const usage = n % 3 === 0 ? undefined : { ...USAGE, costUsd: n % 5 === 0 ? null : 0.5 };
  const failure = { code: 'busy', reason: 'r', provider: 'anthropic', usage };
  if (what === 'complete') {
    const reported = n % 4 === 0 ? [finding(`${stepId}-${n}`)] : [];
    const ballots = [{ subject: `s${n}`, voter: agentId, vote: 'confirm' as const, reason: 'r' }];
    const output = { ...EMPTY, findings: reported, ballots, stats: { n }, ...(n % 2 === 0 ? { text: 't' } : {}) };
    await log.complete(held, { output, reported, durationMs: n, provider: 'anthropic', usage });
  } else if (what === 'skip') await log.skip(held, 'no_provider', 'r');
  else if (what === 'reset') await log.reset(held, 'r');
  else if (what === 'stop') await log.fail(held, { ...failure, code: 'cancelled', retryAt: clock.now, possiblyBilled: true });
  else await log.fail(held, { ...failure, retryAt: what === 'fail' ? clock.now + (n % 50) : null });
}

async function wait({ log, runId }: World, what: Happening['what']): Promise<void> {
  if (what === 'pause') {
    const budget = { scope: 'run', what: 'steps', limit: 1, used: 1 } as const;
    await log.wait(runId, 'budget', [{ type: 'run_paused', budget, done: [], remaining: [] }]);
  } else if (what === 'ask approval') {
    await log.wait(runId, 'approval', [{ type: 'approval_asked', gate: 'writing', question: 'q' }]);
  } else if (what === 'wait for host') {
    await log.wait(runId, 'host', [{ type: 'run_waiting', for: 'host', steps: [] }]);
  }
}

async function aboutRun({ log, runId }: World, state: FoldedRun, what: Happening['what'], n: number): Promise<void> {
  const steps = [...state.steps.values()];
  const rarely = n % 4 === 0;
  if (what === 'approve') {
    await log.note(runId, [{ type: 'approval_given', gate: 'writing', approved: n % 2 === 0, note: null }]);
  } else if (what === 'wake') await log.wake(runId);
  else if (what === 'cancel' && rarely) await log.askCancel(runId, 'r');
  else if (what === 'end' && rarely) {
    const hasFailed = n % 8 === 0;
    const event = hasFailed
      ? ({ type: 'run_failed', code: 'c', reason: 'r' } as const)
      : ({ type: 'run_cancelled', reason: 'r' } as const);
    await log.finish(runId, hasFailed ? 'failed' : 'cancelled', NO_SUMMARY, event);
  } else if (what === 'repeat' && n % 2 === 0) await log.wake(runId, { reset: steps.slice(n % steps.length) });
  else if (what === 'grow' && rarely) {
    const round = 10 + (n % 3);
    const step = { id: `${round}-work-finder`, agentId: 'finder', kind: 'work' as const, round, sees: [] };
    await log.grow(runId, [step], 'r');
  }
}

async function happen(world: World, state: FoldedRun, { what, n }: Happening): Promise<void> {
  const { log, runId, claims, old, dead, clock } = world;
  if (what === 'claim') await claim(world, state, n);
  else if (['complete', 'fail', 'fail for good', 'stop', 'skip', 'reset'].includes(what)) await settle(world, what, n);
  else if (what === 'die') dead.add(Number(claims[n % Math.max(1, claims.length)]?.owner.split('/')[1] ?? -1));
  else if (what === 'time') clock.now += n % 2 === 0 ? 2_000 : n % 100;
  else if (what === 'renew') await log.renew(runId, claims[n % Math.max(1, claims.length)]?.owner ?? 'nobody');
  else if (what === 'late answer') {
    // Above all a claim of an owner that holds the same step by a newer one.
    const held = ({ stepId, owner }: Claim): boolean => claims.some((one) => one.stepId === stepId && one.owner === owner);
    const late = old.find(held) ?? old[n % Math.max(1, old.length)];
    const usage = n % 2 === 0 ? undefined : { ...USAGE, costUsd: 0.25 };
    const result = { output: EMPTY, reported: [], durationMs: 1, provider: 'anthropic', usage };
    if (late !== undefined && (await log.complete(late, result)) !== null) world.faults.push(`${late.stepId} ended twice`);
  } else {
    await wait(world, what);
    await aboutRun(world, state, what, n);
  }
}

/** Steps that came to an end while their run had ended. */
function endedAfterTheEnd(events: readonly RunEvent[]): readonly RunEvent[] {
  let hasEnded = false;
  return events.filter((event) => {
    if (event.type === 'run_resumed') hasEnded = false;
    if (event.type === 'run_failed' || event.type === 'run_cancelled') hasEnded = true;
    const isEnd = event.type === 'step_completed' || event.type === 'step_skipped';
    return hasEnded && (isEnd || (event.type === 'step_failed' && !event.willRetry));
  });
}

async function readAll(journal: ReturnType<typeof createJournal>, runId: string): Promise<readonly RunEvent[]> {
  return journal.read(runId, { after: 0, limit: 10_000 });
}

test('of two processes that decide at once, the first stands; a repetition forgets what was decided', () => {
  const decision = { rule: 'majority', confirms: 1, rejects: 0, abstains: 0, quorum: 1, eligible: 1 } as const;
  const base = { runId: 'r', at: 1 };
  const events: readonly RunEvent[] = [
    { ...base, seq: 1, type: 'decision_made', decision: { ...decision, subject: 'f', outcome: 'confirmed' } },
    { ...base, seq: 2, type: 'run_resumed', owner: 'h/1' },
    { ...base, seq: 3, type: 'decision_made', decision: { ...decision, subject: 'f', outcome: 'tie' } },
  ];
  expect(fold(events).decisions).toMatchObject([{ subject: 'f', outcome: 'confirmed' }]);
  const ended: RunEvent = { ...base, seq: 4, type: 'run_cancelled', reason: 'r' };
  expect(fold([...events, ended, { ...base, seq: 5, type: 'run_resumed', owner: 'h/1' }]).decisions).toEqual([]);
});

test('what a step cost is counted from when it was last started over; a late answer of before is no part of it', () => {
  const usage = (costUsd: number | null) => ({ ...USAGE, provider: 'claude-cli', costUsd });
  const ref = { stepId: 's', agentId: 'a' };
  const started = (epoch: number): EventBody => ({
    type: 'step_started',
    ...ref,
    attempt: epoch,
    epoch,
    owner: 'h/1',
    provider: 'p',
  });
  const failed = (costUsd: number | null): EventBody => {
    return { type: 'step_failed', ...ref, attempt: 1, code: 'busy', reason: 'r', willRetry: true, usage: usage(costUsd) };
  };
  const step = { id: 's', agentId: 'a', kind: 'work', round: 1, sees: [] } as const;
  const bodies: readonly EventBody[] = [
    { type: 'plan_grown', steps: [step], reason: 'r' },
    started(1),
    failed(0.25),
    started(2),
    failed(null),
    { type: 'usage_recorded', ...ref, epoch: 1, usage: usage(0.5) },
    started(3),
    { type: 'step_reset', ...ref, reason: 'again' },
    started(4),
    { type: 'usage_recorded', ...ref, epoch: 3, usage: usage(4) },
    failed(0.125),
  ];
  const events = bodies.map((body, index): RunEvent => ({ runId: 'r', at: index, seq: index + 1, ...body }));
  const at = (length: number) => fold(events.slice(0, length)).steps.get('s');
  expect(at(6)).toMatchObject({ startedOver: 0, costUsd: 0.75 });
  expect(at(8)).toMatchObject({ startedOver: 3, epoch: 3, costUsd: 0 });
  expect(at(10)).toMatchObject({ startedOver: 3, epoch: 4, costUsd: 0 });
  expect(fold(events).steps.get('s')).toMatchObject({ startedOver: 3, costUsd: 0.125 });
  expect(fold(events).used.get('')).toMatchObject({ costUsd: 4.875, unpriced: 1 });
});

describe(`state = fold(events) (seed ${SEED}; RELIABILITY_SEED repeats another)`, () => {
  test('is what the tables hold, after whatever happens, and on every prefix what they held then', async () => {
    const clock = { now: 1_000_000 };
    const dead = new Set<number>();
    const runtime = testRuntime({ now: () => clock.now, host: 'h', alive: (pid) => !dead.has(pid) });
    const db = createLocalDatabase(await connect(':memory:', 'write'), runtime, false);
    onCleanUp(() => db.close());
    await migrateTo(db);
    const journal = createJournal({ db, runtime });
    const log = createRunLog({ db, journal, runtime });
    const begin = beginning('/');
    const seen = new Set<string>();
    const property = fc.asyncProperty(happenings, async (all) => {
      const { runId } = await log.begin({ ...begin, startedAt: clock.now });
      const world: World = { log, runId, claims: [], old: [], dead, clock, faults: [] };
      dead.clear();
      const growing = createFold();
      /** What the tables held when the journal had so many events. */
      const held = new Map<number, unknown>();
      const copies = new Map<number, Fold>();
      for (const happening of all) {
        clock.now += 1;
        await happen(world, growing.state, happening);
        growing.apply(await journal.read(runId, { after: growing.state.seq, limit: 1_000 }));
        const tables = await tablesOf(db, runId);
        expect(stateOf(growing.state)).toEqual(tables);
        held.set(growing.state.seq, tables);
        if (copies.size < 5) copies.set(growing.state.seq, growing.copy());
      }
      const events = await readAll(journal, runId);
      for (const { type } of events) seen.add(type);
      expect(endedAfterTheEnd(events)).toEqual([]);
      expect([...held.keys()].map((length) => stateOf(fold(events.slice(0, length))))).toEqual([...held.values()]);
      expect(world.faults).toEqual([]);
      expect(fold(events)).toEqual(growing.state); // in one go or piece by piece
      for (const [length, copy] of copies) {
        expect(copy.state).toEqual(fold(events.slice(0, length))); // whatever came to what it was copied from
        copy.apply(events);
        expect(copy.state).toEqual(growing.state);
      }
    });
    await fc.assert(property, { seed: SEED, numRuns: RUNS });
    const expected = ['step_started', 'step_completed', 'step_failed', 'step_skipped', 'step_reset', 'plan_grown', 'run_resumed'];
    expect([...seen]).toEqual(
      expect.arrayContaining([...expected, 'run_paused', 'approval_given', 'cancel_asked', 'run_failed', 'usage_recorded']),
    );
  });
});
