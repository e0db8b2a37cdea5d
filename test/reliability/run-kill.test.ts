import { fork, type ChildProcess } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunEvent } from '../../src/events.ts';
import { createJournal } from '../../src/run/journal.ts';
import { replay } from '../../src/run/replay.ts';
import { createRuns } from '../../src/run/runs.ts';
import { openDatabase } from '../../src/store/open-database.ts';
import type { BundledProgram } from '../helpers/bundle-program.ts';
import { testRuntime, useScratch } from '../store/scratch.ts';
import { bundle } from './processes.ts';
import { createRandom, type Random } from './random.ts';
import type { PaidCall, RunTask } from './run-task.ts';

const SEED = Number(process.env['RELIABILITY_SEED'] ?? 20_261_121);

const scratch = useScratch();
let worker: BundledProgram;
beforeAll(async () => {
  worker = await bundle('run-worker.ts');
});
afterAll(() => worker.remove());

interface Seen extends PaidCall {
  /** `killed`: its process was killed while it was unanswered. */
  outcome: 'open' | 'answered' | 'killed';
}

interface Counter {
  readonly url: string;
  readonly calls: readonly Seen[];
  readonly stop: () => Promise<void>;
}

/** A server that answers paid calls after a while, except those at some places: their callers are killed. */
async function startCounter(random: Random, fatal: ReadonlySet<number>, kill: (call: PaidCall) => void): Promise<Counter> {
  const calls: Seen[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const said: PaidCall = JSON.parse(body);
      const call: Seen = { ...said, outcome: 'open' };
      calls.push(call);
      if (fatal.has(calls.length)) {
        call.outcome = 'killed';
        kill(call);
        return;
      }
      setTimeout(
        () => {
          call.outcome = 'answered';
          response.end('ok');
        },
        5 + random.below(20),
      );
    });
    request.on('error', () => undefined); // its process was killed
  });
  server.keepAliveTimeout = 60_000; // else it may close a connection just as a call is sent on it
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => void server.close(resolve));
  };
  return { url: `http://127.0.0.1:${address.port}/`, calls, stop };
}

interface Shape {
  readonly agentsOfType: number;
  readonly processes: number;
  readonly kills: number;
  readonly leaseMs: number;
  /** Whether each process says it is on a machine of its own, so that nobody sees that it died. */
  readonly apart: boolean;
}

interface Outcome {
  readonly calls: readonly Seen[];
  readonly events: readonly RunEvent[];
  readonly faults: readonly string[];
  readonly status: string;
  readonly integrity: string;
  readonly files: readonly string[];
  readonly spent: unknown;
}

/** Has processes drive one run while some of them are killed and followed by others, and reads what is left. */
async function driveKilled({ agentsOfType, processes, kills, leaseMs, apart }: Shape, seed: number): Promise<Outcome> {
  const random = createRandom(seed);
  const folder = await scratch.folder();
  const path = join(folder, '.skillflow', 'skillflow.db');
  const fatal = new Set<number>();
  while (fatal.size < kills) fatal.add(processes + 1 + random.below(agentsOfType * 6 - processes));
  const children = new Map<number, ChildProcess>();
  const ends: Promise<void>[] = [];
  const faults: string[] = [];
  let runId: string | null = null;
  let started = 0;
  const start = (): void => {
    started += 1;
    const host = apart ? `machine-${started}` : null;
    const task: RunTask = { path, projectRoot: folder, url: counter.url, runId, agentsOfType, host, leaseMs };
    const child = fork(worker.path, [JSON.stringify(task)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: [],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    if (child.pid !== undefined) children.set(child.pid, child);
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const ended = new Promise<void>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        if (signal === 'SIGKILL') start(); // another takes its place
        else if (code !== 0) faults.push(`a process ended with ${code}: ${stderr}`);
        resolve();
      });
    });
    ends.push(ended);
  };
  const counter = await startCounter(random, fatal, ({ pid }) => void children.get(pid)?.kill('SIGKILL'));
  start();
  while (counter.calls.length === 0 && children.size === 1 && faults.length === 0)
    await new Promise((r) => void setTimeout(r, 10));
  runId = counter.calls[0]?.runId ?? null;
  if (runId === null) throw new Error(`the run did not begin: ${faults.join()}`);
  for (let n = 1; n < processes; n += 1) start();
  for (let n = 0; n < ends.length; n += 1) await ends[n];
  await counter.stop();

  const runtime = testRuntime();
  await using db = await openDatabase(path, { runtime });
  const journal = createJournal({ db, runtime });
  const events: RunEvent[] = [];
  for (;;) {
    const more = await journal.read(runId, { after: events.length, limit: 1000 });
    if (more.length === 0) break;
    events.push(...more);
  }
  const { status } = await createRuns({ db, journal, runtime }).get(runId);
  const again = status === 'completed' ? await replay(journal, folder, runId) : null;
  return {
    calls: counter.calls,
    events,
    faults,
    status,
    integrity: await db.integrity(),
    files: again?.files.map(({ path: file, state }) => `${file.split('/').at(-1)} ${state}`) ?? [],
    spent: await db.get('SELECT count(*) AS attempts, total(cost_usd) AS dollars FROM spend'),
  };
}

function countBy<T>(items: readonly T[], key: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[key(item)] = (counts[key(item)] ?? 0) + 1;
  return counts;
}

function expectSound({ calls, events, faults, integrity, files, spent }: Outcome, shape: Shape, at: string): void {
  const steps = shape.agentsOfType * 6;
  expect({ faults, integrity }, at).toEqual({ faults: [], integrity: 'ok' });
  const completed = events.filter(({ type }) => type === 'step_completed');
  const perStep = countBy(completed, (event) => ('stepId' in event ? String(event.stepId) : ''));
  expect(Object.keys(perStep), at).toHaveLength(steps);
  expect(new Set(Object.values(perStep)), at).toEqual(new Set([1]));
  const killed = calls.filter(({ outcome }) => outcome === 'killed');
  expect(killed, at).toHaveLength(shape.kills);
  // Exactly the calls that were cut off were made again, and nothing was asked after its answer.
  const hits = countBy(killed, ({ stepId }) => stepId);
  const expected = Object.fromEntries(Object.keys(perStep).map((stepId) => [stepId, 1 + (hits[stepId] ?? 0)]));
  expect(
    countBy(calls, ({ stepId }) => stepId),
    at,
  ).toEqual(expected);
  for (const stepId of Object.keys(perStep)) {
    const outcomes = calls.filter((call) => call.stepId === stepId).map(({ outcome }) => outcome);
    expect(outcomes.slice(0, -1).every((outcome) => outcome === 'killed') && outcomes.at(-1) === 'answered', stepId).toBe(true);
  }
  const twice = events.flatMap((event) =>
    event.type === 'step_started' && event.possiblyBilledTwice === true ? [event.stepId] : [],
  );
  expect(countBy(twice, String), at).toEqual(hits);
  expect(
    events.filter(({ type }) => type === 'run_completed'),
    at,
  ).toHaveLength(1);
  expect(events.at(-1)?.type, at).toBe('run_completed');
  expect(files, at).toEqual(['report.md same', 'report.sarif same', 'report.json same']);
  expect(spent, at).toEqual({ attempts: steps, dollars: steps / 4 });
}

describe(`runs whose processes are killed (seed ${SEED}; RELIABILITY_SEED repeats another)`, () => {
  test('4 processes, 300 paid steps, 20 SIGKILLs at calls in flight: exactly those calls are repeated', async () => {
    const shape: Shape = { agentsOfType: 50, processes: 4, kills: 20, leaseMs: 15_000, apart: false };
    const outcome = await driveKilled(shape, SEED);
    expect(outcome.status, outcome.faults.join('\n')).toBe('completed');
    expectSound(outcome, shape, `seed ${SEED}`);
  });

  test('on machines of their own, where only the end of a lease tells that a process is gone', async () => {
    const shape: Shape = { agentsOfType: 10, processes: 3, kills: 3, leaseMs: 8_000, apart: true };
    const outcome = await driveKilled(shape, SEED + 1);
    expect(outcome.status, outcome.faults.join('\n')).toBe('completed');
    expectSound(outcome, shape, `seed ${SEED + 1}`);
  });
});
