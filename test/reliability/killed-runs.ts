import { fork, type ChildProcess } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import type { RunEvent } from '../../src/events.ts';
import { createJournal } from '../../src/run/journal.ts';
import { replay } from '../../src/run/replay.ts';
import { createRuns } from '../../src/run/runs.ts';
import { createRuntime } from '../../src/runtime.ts';
import { openDatabase } from '../../src/store/open-database.ts';
import { createRandom, type Random } from './random.ts';
import type { PaidCall, RunTask } from './run-task.ts';

/** A run that several processes drive, some of which are killed while a paid call of theirs is in flight. */
export interface KilledRun {
  /** Members of each of three types; each member has two steps. */
  readonly agentsOfType: number;
  readonly processes: number;
  readonly kills: number;
  readonly leaseMs: number;
  /** Whether each process says it is on a machine of its own, so that nobody sees that it died. */
  readonly apart: boolean;
}

interface SeenCall extends PaidCall {
  /** `killed`: its process was killed while it was unanswered. */
  outcome: 'open' | 'answered' | 'killed';
}

/** What is left of a run when all its processes have ended. */
export interface KilledOutcome {
  readonly calls: readonly SeenCall[];
  readonly events: readonly RunEvent[];
  /** Processes that ended with an error. */
  readonly faults: readonly string[];
  readonly status: string;
  readonly integrity: string;
  readonly files: readonly string[];
  readonly spent: unknown;
  /** From the start of the first process to the end of the last. */
  readonly wallMs: number;
}

interface FakeModel {
  readonly url: string;
  readonly calls: readonly SeenCall[];
  readonly stop: () => Promise<void>;
}

/** A model on the loopback that answers after 5–24 ms, except the calls at some places: their callers are killed. */
async function startModel(random: Random, fatal: ReadonlySet<number>, kill: (call: PaidCall) => void): Promise<FakeModel> {
  const calls: SeenCall[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const said: PaidCall = JSON.parse(body);
      const call: SeenCall = { ...said, outcome: 'open' };
      calls.push(call);
      if (fatal.has(calls.length)) {
        call.outcome = 'killed';
        kill(call);
        return;
      }
      const answer = (): void => {
        call.outcome = 'answered';
        response.end('ok');
      };
      setTimeout(answer, 5 + random.below(20));
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

/** Starts processes, each killed one followed by another. */
function createProcesses(worker: string, taskOf: (nth: number) => RunTask) {
  const children = new Map<number, ChildProcess>();
  const ends: Promise<void>[] = [];
  const faults: string[] = [];
  let started = 0;
  const start = (): void => {
    started += 1;
    const child = fork(worker, [JSON.stringify(taskOf(started))], {
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
  return {
    start,
    faults,
    kill: ({ pid }: PaidCall): void => void children.get(pid)?.kill('SIGKILL'),
    allEnded: async (): Promise<void> => {
      for (let n = 0; n < ends.length; n += 1) await ends[n];
    },
  };
}

async function readBack(path: string, projectRoot: string, runId: string) {
  const runtime = createRuntime('silent');
  await using db = await openDatabase(path, { runtime });
  const journal = createJournal({ db, runtime });
  const events: RunEvent[] = [];
  for (;;) {
    const more = await journal.read(runId, { after: events.length, limit: 1000 });
    if (more.length === 0) break;
    events.push(...more);
  }
  const { status } = await createRuns({ db, journal, runtime }).get(runId);
  const again = status === 'completed' ? await replay(journal, projectRoot, runId) : null;
  return {
    events,
    status,
    integrity: await db.integrity(),
    files: again?.files.map(({ path: file, state }) => `${file.split('/').at(-1)} ${state}`) ?? [],
    spent: await db.get('SELECT count(*) AS attempts, total(cost_usd) AS dollars FROM spend'),
  };
}

/**
 * Has processes drive one run while some of them are killed and followed by others, and reads what is left.
 * @param worker `run-worker.ts`, bundled
 * @param folder an empty one
 */
export async function driveKilled(
  { agentsOfType, processes, kills, leaseMs, apart }: KilledRun,
  seed: number,
  worker: string,
  folder: string,
): Promise<KilledOutcome> {
  const random = createRandom(seed);
  const path = join(folder, '.skillflow', 'skillflow.db');
  const fatal = new Set<number>();
  while (fatal.size < kills) fatal.add(processes + 1 + random.below(agentsOfType * 6 - processes));
  let runId: string | null = null;
  const workers = createProcesses(worker, (nth): RunTask => {
    const host = apart ? `machine-${nth}` : null;
    return { path, projectRoot: folder, url: model.url, runId, agentsOfType, host, leaseMs };
  });
  const model = await startModel(random, fatal, workers.kill);
  const begun = performance.now();
  workers.start();
  while (model.calls.length === 0 && workers.faults.length === 0) await new Promise((r) => void setTimeout(r, 10));
  runId = model.calls[0]?.runId ?? null;
  if (runId === null) throw new Error(`the run did not begin: ${workers.faults.join()}`);
  for (let n = 1; n < processes; n += 1) workers.start();
  await workers.allEnded();
  const wallMs = performance.now() - begun;
  await model.stop();
  return { calls: model.calls, faults: workers.faults, wallMs, ...(await readBack(path, folder, runId)) };
}

function countBy<T>(items: readonly T[], key: (item: T) => string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1);
  return counts;
}

/** What a run with kills came to, in figures. */
export interface KilledFigures {
  /** Steps with exactly one event that says it was completed, and with several. */
  readonly completedOnce: number;
  readonly completedAgain: number;
  readonly calls: number;
  /** Calls whose process was killed while they were in flight. */
  readonly cutOff: number;
  /** Calls of steps beyond, or short of, one and those that were cut off. */
  readonly wrongRepeats: number;
  /** Calls of a step after one of its calls had been answered. */
  readonly afterAnswer: number;
  /** Attempts that the journal marks as possibly billed twice, and those marked, or not marked, in error. */
  readonly marked: number;
  readonly wrongMarks: number;
  /** Ends of the run, all of them completions, and whether one is the last event. */
  readonly ends: number;
  readonly endIsLast: boolean;
  readonly integrity: string;
  readonly faults: readonly string[];
}

export function killedFigures({ calls, events, faults, integrity }: KilledOutcome): KilledFigures {
  const completed = countBy(
    events.flatMap((event) => (event.type === 'step_completed' ? [event.stepId] : [])),
    String,
  );
  const marks = countBy(
    events.flatMap((event) => (event.type === 'step_started' && event.possiblyBilledTwice === true ? [event.stepId] : [])),
    String,
  );
  const killed = calls.filter(({ outcome }) => outcome === 'killed');
  const hits = countBy(killed, ({ stepId }) => stepId);
  const asked = countBy(calls, ({ stepId }) => stepId);
  const answered = new Set<string>();
  let afterAnswer = 0;
  for (const { stepId, outcome } of calls) {
    if (answered.has(stepId)) afterAnswer += 1;
    if (outcome === 'answered') answered.add(stepId);
  }
  const steps = [...new Set([...completed.keys(), ...asked.keys()])];
  const sum = (of: (id: string) => number): number => steps.reduce((total, id) => total + Math.abs(of(id)), 0);
  return {
    completedOnce: steps.filter((id) => completed.get(id) === 1).length,
    completedAgain: steps.filter((id) => (completed.get(id) ?? 0) > 1).length,
    calls: calls.length,
    cutOff: killed.length,
    wrongRepeats: sum((id) => (asked.get(id) ?? 0) - 1 - (hits.get(id) ?? 0)),
    afterAnswer,
    marked: [...marks.values()].reduce((total, count) => total + count, 0),
    wrongMarks: sum((id) => (marks.get(id) ?? 0) - (hits.get(id) ?? 0)),
    ends: events.filter(({ type }) => type === 'run_completed').length,
    endIsLast: events.at(-1)?.type === 'run_completed',
    integrity,
    faults,
  };
}

/** The figures of a run in which all went as it should. */
export function soundFigures({ agentsOfType, kills }: KilledRun): KilledFigures {
  const steps = agentsOfType * 6;
  const none = { completedAgain: 0, wrongRepeats: 0, afterAnswer: 0, wrongMarks: 0, faults: [] };
  const killed = { cutOff: kills, marked: kills };
  return { ...none, ...killed, completedOnce: steps, calls: steps + kills, ends: 1, endIsLast: true, integrity: 'ok' };
}
