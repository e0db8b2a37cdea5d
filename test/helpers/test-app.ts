import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '../../src/app.ts';
import type { Skillflow } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import type { Config } from '../../src/config.ts';
import type { CallResult, Caller } from '../../src/executor/executor.ts';
import { createRuntime } from '../../src/runtime.ts';
import type { Runtime } from '../../src/runtime.ts';
import { locationOf, onServer } from './databases.ts';

export const CALLER: Caller = { surface: 'api' };

export interface TestApp extends AsyncDisposable {
  readonly skillflow: Skillflow;
  /** The project's folder; a real path. */
  readonly dir: string;
  /** Of its database: the file's path, or the URL of a server. */
  readonly location: string;
  call(tool: string, input: unknown): Promise<CallResult>;
  /** Disposes it and composes it anew on the same folder, as the next process does. */
  restart(): Promise<void>;
}

export interface TestAppOptions {
  readonly runtime?: Runtime;
  readonly flags?: Readonly<Record<string, string | boolean>>;
  /** Its database is a file also where the tests are run on a server: for what makes files of it. */
  readonly isFile?: boolean;
}

/** The whole product on a new temporary project folder, which goes when it is disposed; in a test, or before each. */
export async function createTestApp({
  runtime = createRuntime('silent'),
  flags = {},
  isFile = !onServer(),
}: TestAppOptions = {}): Promise<TestApp> {
  const dir = await mkdtemp(join(tmpdir(), 'skillflow-app-'));
  const load = (given: typeof flags): Config =>
    loadConfig({ projectRoot: dir, rootSource: 'test', home: dir, flags: given, env: {} });
  const isGiven = isFile || flags['databaseUrl'] !== undefined;
  const config = load(isGiven ? flags : { ...flags, databaseUrl: await locationOf(load(flags).databasePath) });
  const compose = (): Skillflow =>
    createApp({ config, runtime, version: '0.0.0', packageDir: join(dir, 'no-skills'), workerUrl: null, vectorWorkerUrl: null });
  let skillflow = compose();
  return {
    get skillflow() {
      return skillflow;
    },
    dir,
    location: config.databaseUrl ?? config.databasePath,
    call: (tool, input) => skillflow.call(tool, input, CALLER),
    restart: async () => {
      await skillflow[Symbol.asyncDispose]();
      skillflow = compose();
    },
    [Symbol.asyncDispose]: async () => {
      await skillflow[Symbol.asyncDispose]();
      await rm(dir, { recursive: true });
    },
  };
}
