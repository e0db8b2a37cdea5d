import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { admit, type BreakerState, CLOSED, createBreaker, settle } from '../../src/agent/breaker.ts';
import type { AskResult, Provider } from '../../src/agent/provider.ts';
import { askRequest } from './ask-request.ts';
import { noChanges, outputOf } from './seen-finding.ts';

const CONFIG = { failures: 3, coolDownMs: 1_000, maxCoolDownMs: 10_000 };
const SEED = { seed: 20_261_121, numRuns: 500 };

type Move =
  | { readonly type: 'ask' }
  | { readonly type: 'wait'; readonly ms: number }
  | {
      readonly type: 'end';
      readonly which: number;
      readonly outcome: 'ok' | 'failed' | 'neutral';
      readonly retryAfterMs: number;
    };

const MOVES: fc.Arbitrary<readonly Move[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant({ type: 'ask' } as const) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 3_000 }) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant('end' as const),
        which: fc.nat(5),
        outcome: fc.constantFrom('ok' as const, 'failed' as const, 'neutral' as const),
        retryAfterMs: fc.integer({ min: 0, max: 100_000 }),
      }),
    },
  ),
  { maxLength: 60 },
);

/** Plays moves on the core with a clock of its own, and tells each one and what was before and after it. */
function play(
  moves: readonly Move[],
  see: (seen: { move: Move; before: BreakerState; after: BreakerState; permit: unknown; nowMs: number; probes: number }) => void,
): void {
  let state = CLOSED;
  let nowMs = 0;
  const open: ('call' | 'probe')[] = [];
  for (const move of moves) {
    const before = state;
    let permit: unknown;
    if (move.type === 'wait') nowMs += move.ms;
    if (move.type === 'ask') {
      const admitted = admit(state, CONFIG, nowMs);
      ({ state, permit } = admitted);
      if (typeof admitted.permit === 'string') open.push(admitted.permit);
    }
    if (move.type === 'end') {
      const [ended] = open.splice(move.which % Math.max(1, open.length), 1);
      if (ended === undefined) continue;
      permit = ended;
      state = settle(state, CONFIG, { permit: ended, outcome: move.outcome, nowMs, retryAfterMs: move.retryAfterMs });
    }
    see({ move, before, after: state, permit, nowMs, probes: open.filter((each) => each === 'probe').length });
  }
}

describe('the rules, with any calls in any order', () => {
  test('at most one probe is under way, and only a half-open circuit has one', () => {
    fc.assert(
      fc.property(MOVES, (moves) =>
        play(moves, ({ after, probes }) => expect(probes).toBe(after.status === 'half_open' ? 1 : 0)),
      ),
      SEED,
    );
  });

  test('open: nobody is let through before its time, and the time to wait is true', () => {
    fc.assert(
      fc.property(MOVES, (moves) =>
        play(moves, ({ move, before, permit, nowMs }) => {
          if (move.type !== 'ask' || before.status !== 'open') return;
          const waitMs = before.untilMs - nowMs;
          expect(permit).toEqual(waitMs <= 0 ? 'probe' : { retryAfterMs: waitMs });
        }),
      ),
      SEED,
    );
  });

  test('it opens for no less than the cool-down and no more than the longest', () => {
    fc.assert(
      fc.property(MOVES, (moves) =>
        play(moves, ({ move, before, after, nowMs }) => {
          if (after.status !== 'open' || before.status === 'open' || (move.type === 'end' && move.outcome === 'neutral')) return;
          expect(after.untilMs - nowMs).toBeGreaterThanOrEqual(CONFIG.coolDownMs);
          expect(after.untilMs - nowMs).toBeLessThanOrEqual(CONFIG.maxCoolDownMs);
        }),
      ),
      SEED,
    );
  });

  test('closed counts failures in a row, and opens at the given one', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('ok' as const, 'failed' as const, 'neutral' as const)), (outcomes) => {
        let state = CLOSED;
        let row = 0;
        for (const outcome of outcomes) {
          if (state.status !== 'closed') return;
          if (outcome !== 'neutral') row = outcome === 'ok' ? 0 : row + 1;
          state = settle(state, CONFIG, { permit: 'call', outcome, nowMs: 0 });
          expect(state.status).toBe(row >= CONFIG.failures ? 'open' : 'closed');
        }
      }),
      SEED,
    );
  });

  test('calls of before do not move it once it has opened', () => {
    fc.assert(
      fc.property(MOVES, (moves) =>
        play(moves, ({ move, before, after, permit }) => {
          const late = move.type === 'end' && permit === 'call' && before.status !== 'closed';
          expect(after).toEqual(late ? before : after);
        }),
      ),
      SEED,
    );
  });
});

describe('around a provider', () => {
  function guarded(results: AskResult[]) {
    let nowMs = 0;
    let asked = 0;
    const changes: string[] = [];
    const provider: Provider = {
      name: 'anthropic',
      paid: true,
      ask: async () => {
        asked += 1;
        const result = results.shift();
        if (result === undefined) throw new Error('asked once too often');
        return result;
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
    const breaker = createBreaker(provider, { ticks: () => nowMs }, CONFIG, ({ status }) => void changes.push(status));
    return {
      breaker,
      changes,
      asked: () => asked,
      wait: (ms: number) => (nowMs += ms),
      ask: () => breaker.ask(askRequest(noChanges('/p'))),
    };
  }
  const down: AskResult = { status: 'failed', code: 'overloaded', reason: 'busy', retryable: true };
  const denied: AskResult = { status: 'failed', code: 'auth', reason: 'no key', retryable: false };
  const fine: AskResult = { status: 'completed', output: outputOf() };

  test('opens, answers at once while open, lets one through, closes', async () => {
    const { breaker, changes, asked, wait, ask } = guarded([down, down, { ...down, retryAfterMs: 4_000 }, fine]);
    for (let i = 0; i < 3; i += 1) expect(await ask()).toMatchObject({ code: 'overloaded' });
    expect(breaker.state()).toEqual({ status: 'open', untilMs: 4_000 });
    expect(await ask()).toMatchObject({ status: 'failed', code: 'circuit_open', retryable: true, retryAfterMs: 4_000 });
    expect(asked()).toBe(3);
    wait(4_000);
    const probe = ask();
    expect(await ask()).toMatchObject({ code: 'circuit_open' });
    expect((await probe).status).toBe('completed');
    expect(breaker.state()).toEqual(CLOSED);
    expect(changes).toEqual(['open', 'half_open', 'closed']);
    expect(breaker).toMatchObject({ name: 'anthropic', paid: true });
  });

  test('what says nothing of its health does not count', async () => {
    const { breaker, ask } = guarded([down, down, denied, denied, down]);
    for (let i = 0; i < 4; i += 1) await ask();
    expect(breaker.state()).toEqual({ status: 'closed', failures: 2 });
    await ask();
    expect(breaker.state().status).toBe('open');
  });
});
