import { expect, test } from 'vitest';
import type { CallResult } from '../../src/executor/executor.ts';

/** A wrong call, and by which code and words it is refused. */
export type BadCall = readonly [tool: string, input: unknown, code: string, message: RegExp];

/** Text of 2 MiB: more than any parameter takes. */
export const HUGE = 'x'.repeat(2 * 1024 * 1024);

export interface BadCallPlace {
  call(tool: string, input: unknown): Promise<CallResult>;
  /** Makes what a call could wrongly change. */
  prepare(): Promise<unknown>;
  /** All that a call could change. */
  everything(): Promise<unknown>;
}

/** A test for each call: it is refused shortly, with what to do, and nothing is changed. */
export function testBadCalls(calls: readonly BadCall[], { call, prepare, everything }: BadCallPlace): void {
  const cases = calls.map(([tool, input, code, message], index) => ({ index, tool, input, code, message }));
  test.each(cases)('$index: $tool $code $message', async ({ tool, input, code, message }) => {
    await prepare();
    const before = await everything();
    const result = await call(tool, input);
    expect(result).toMatchObject({
      ok: false,
      error: { code, message: expect.stringMatching(message), hint: expect.stringMatching(/./) },
    });
    expect(JSON.stringify(result).length).toBeLessThan(1500);
    expect(await everything()).toStrictEqual(before);
  });
}
