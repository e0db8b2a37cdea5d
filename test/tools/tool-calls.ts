import { createRuntime } from '../../src/runtime.ts';
import { rawSql } from '../helpers/raw-sql.ts';
import { createTestApp } from '../helpers/test-app.ts';
import type { TestApp, TestAppOptions } from '../helpers/test-app.ts';

export type Output = Readonly<Record<string, unknown>>;

/** A test app with a clock that the test sets, and short ways to call it. */
export interface ToolCalls extends AsyncDisposable {
  readonly app: TestApp;
  /** Milliseconds since the epoch. */
  now: number;
  /** Of a call that must go well. */
  output(tool: string, input: unknown): Promise<Output>;
  /** What a tool prints for people, 80 columns wide. */
  text(tool: string, input: unknown): Promise<string>;
  /** A statement by another process. */
  raw(sql: string, params?: readonly (string | number)[]): Promise<unknown>;
}

export async function createToolCalls(options: Omit<TestAppOptions, 'runtime'> = {}): Promise<ToolCalls> {
  const clock = { now: 1_700_000_000_000 };
  const app = await createTestApp({ ...options, runtime: { ...createRuntime('silent'), now: () => clock.now } });
  const output: ToolCalls['output'] = async (tool, input) => {
    const result = await app.call(tool, input);
    if (!result.ok) throw new Error(`${tool}: ${JSON.stringify(result.error)}`);
    return Object.fromEntries(Object.entries(Object(result.output)));
  };
  return {
    app,
    get now() {
      return clock.now;
    },
    set now(value) {
      clock.now = value;
    },
    output,
    text: async (tool, input) => app.skillflow.render(tool, await output(tool, input), { color: false, width: 80 }),
    raw: (sql, params) => rawSql(app.location, sql, params),
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  };
}
