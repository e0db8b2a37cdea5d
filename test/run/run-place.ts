import { join } from 'node:path';
import type { Provider, SeenMessage } from '../../src/agent/provider.ts';
import type { ChangeSet } from '../../src/changes.ts';
import type { RunEvent } from '../../src/events.ts';
import { createJournal } from '../../src/run/journal.ts';
import type { Journal } from '../../src/run/journal.ts';
import { createRunControl } from '../../src/run/run-control.ts';
import type { RunControl } from '../../src/run/run-control.ts';
import { createRunStore } from '../../src/run/run-store.ts';
import { createRunner } from '../../src/run/runner.ts';
import type { Estimate, Runner, RunStore } from '../../src/run/runner.ts';
import { createRuns } from '../../src/run/runs.ts';
import type { Runs } from '../../src/run/runs.ts';
import type { SwarmSpec } from '../../src/skill/skill.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../helpers/databases.ts';
import { testRuntime } from '../store/scratch.ts';
import { ROLE, following, reviewing, scripted, skill } from './run-samples.ts';

export { EMPTY, finding, reviewing, scripted } from './run-samples.ts';

/** A project with its database, where skills run. */
export interface RunPlace {
  readonly db: Database;
  readonly dir: string;
  readonly journal: Journal;
  readonly runs: Runs;
  readonly control: RunControl;
  /** A process: its own store and runner over the same database. */
  process(provider: Provider): { readonly store: RunStore; readonly runner: Runner };
  run(provider: Provider, spec?: Partial<SwarmSpec>, signal?: AbortSignal): Promise<string>;
  request(provider: Provider, task: string): Promise<string>;
  resume(provider: Provider, runId: string): Promise<void>;
  events(runId: string): Promise<readonly RunEvent[]>;
}

export interface RunPlaceOptions {
  readonly changes?: Partial<ChangeSet>;
  readonly estimate?: Estimate | null;
  readonly dayLimits?: { readonly tokens: number | null; readonly costUsd: number | null };
  readonly collect?: () => Promise<ChangeSet>;
  readonly leaseMs?: number;
  readonly mailOf?: () => Promise<readonly SeenMessage[]>;
}

export async function createRunPlace(
  dir: string,
  onCleanUp: (work: () => Promise<void>) => void,
  options: RunPlaceOptions = {},
): Promise<RunPlace> {
  const runtime = testRuntime();
  const db = await openTestDatabase(join(dir, '.skillflow', 'skillflow.db'), { runtime });
  onCleanUp(() => db.close());
  const journal = createJournal({ db, runtime });
  const whole: ChangeSet = {
    root: dir,
    mode: 'tree',
    base: null,
    git: null,
    files: [],
    skipped: [],
    notes: [],
    ...options.changes,
  };
  const process: RunPlace['process'] = (provider) => {
    const store = createRunStore({
      db,
      journal,
      runtime,
      thinkersOf: async () => ({ serves: () => provider }),
      rolesOf: () => async () => ROLE,
      mailOf: options.mailOf ?? (async () => []),
      leaseMs: options.leaseMs,
      dayLimits: options.dayLimits ?? { tokens: null, costUsd: null },
    });
    const runner = createRunner({
      openStore: async () => store,
      runtime,
      projectRoot: dir,
      version: '0.0.0',
      collect: options.collect ?? (async () => whole),
      estimate: async () => options.estimate ?? null,
    });
    return { store, runner };
  };
  const start = (provider: Provider, task: string, spec: Partial<SwarmSpec>, signal?: AbortSignal): Promise<string> =>
    process(provider).runner.run(
      { skill: skill(spec), task, selection: { tree: true }, provider: provider.name },
      following(signal),
    );
  return {
    db,
    dir,
    journal,
    process,
    runs: createRuns({ db, journal, runtime }),
    control: createRunControl({ log: process(scripted(reviewing)).store.log, journal, runtime, projectRoot: dir }),
    run: (provider, spec = {}, signal) => start(provider, 'a task\0with a NUL', spec, signal),
    request: (provider, task) => start(provider, task, {}),
    resume: (provider, runId) => process(provider).runner.resume(runId, following()),
    events: (runId) => journal.read(runId, { after: 0, limit: 1000 }),
  };
}
