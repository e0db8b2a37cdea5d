import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../../src/errors.ts';
import { createIntensity } from '../../../src/swarm/supervise/intensity.ts';
import { restartSet } from '../../../src/swarm/supervise/restart-set.ts';
import {
  createSupervision,
  type Action,
  type ExitReason,
  type SupervisorSpec,
  type WorkerSpec,
} from '../../../src/swarm/supervise/supervision.ts';
import { createOracle } from './otp-oracle.ts';

const kinds = fc.constantFrom('permanent', 'transient', 'temporary');
const strategies = fc.constantFrom('one_for_one', 'one_for_all', 'rest_for_one');

/** Trees up to three levels deep; ids are their paths. */
function trees(path: string, depth: number): fc.Arbitrary<SupervisorSpec> {
  const worker = (id: string): fc.Arbitrary<WorkerSpec> => kinds.map((restart) => ({ id, restart }));
  const child = (at: number): fc.Arbitrary<WorkerSpec | SupervisorSpec> => {
    const id = `${path}.${at}`;
    return depth === 0
      ? worker(id)
      : fc.oneof({ weight: 3, arbitrary: worker(id) }, { weight: 2, arbitrary: trees(id, depth - 1) });
  };
  return fc.integer({ min: 0, max: 4 }).chain((count) =>
    fc.record({
      id: fc.constant(path),
      restart: kinds,
      strategy: strategies,
      intensity: fc.integer({ min: 0, max: 3 }),
      periodMs: fc.constantFrom(1, 10, 100),
      children: fc.tuple(...Array.from({ length: count }, (_, at) => child(at))),
    }),
  );
}

function workersOf(spec: WorkerSpec | SupervisorSpec): string[] {
  return 'children' in spec ? spec.children.flatMap(workersOf) : [spec.id];
}

const written = (actions: readonly Action[]): string[] => actions.map(({ type, id }) => `${type} ${id}`);
const exits = fc.array(
  fc.record({
    pick: fc.nat(),
    anyone: fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
    reason: fc.constantFrom<ExitReason>('normal', 'error', 'killed'),
    afterMs: fc.constantFrom(0, 1, 5, 10, 11, 60),
  }),
  { maxLength: 40 },
);
const half = { random: () => 0.5 };

describe('createSupervision', () => {
  it('does what the documentation of OTP says, for any tree and any exits', () => {
    fc.assert(
      fc.property(trees('s', 2), exits, (spec, sequence) => {
        const core = createSupervision(spec, half);
        const oracle = createOracle(spec);
        expect(written(core.start())).toEqual(oracle.start());
        let now = 1000;
        for (const { pick, anyone, reason, afterMs } of sequence) {
          now += afterMs;
          const among = anyone ? workersOf(spec) : core.up();
          const id = among[pick % Math.max(1, among.length)];
          if (id === undefined) break;
          expect(written(core.onExit(id, reason, now))).toEqual(oracle.exit(id, reason, now));
          expect(core.up()).toEqual(oracle.alive());
        }
      }),
      { seed: 4, numRuns: 3000 },
    );
  });

  it('stops what is up in reverse order of start, and then does nothing more', () => {
    fc.assert(
      fc.property(trees('s', 2), exits, (spec, sequence) => {
        const core = createSupervision(spec, half);
        core.start();
        for (const [at, { pick, reason }] of sequence.entries()) {
          const up = core.up();
          const id = up[pick % Math.max(1, up.length)];
          if (id !== undefined) core.onExit(id, reason, at * 50);
        }
        const up = core.up();
        expect(written(core.stop())).toEqual(up.toReversed().map((id) => `stop ${id}`));
        expect(core.up()).toEqual([]);
        for (const id of workersOf(spec)) expect(core.onExit(id, 'error', 1e6)).toEqual([]);
        expect([core.stop(), core.start()]).toEqual([[], []]);
      }),
      { seed: 5, numRuns: 500 },
    );
  });

  const line = (strategy: SupervisorSpec['strategy'], more: Partial<SupervisorSpec> = {}): SupervisorSpec => ({
    id: 'top',
    strategy,
    intensity: 2,
    periodMs: 100,
    children: [{ id: 'a' }, { id: 'b' }, { id: 'c' }],
    ...more,
  });

  it('restarts by strategy: stops in reverse, starts in order', () => {
    const after = (strategy: SupervisorSpec['strategy']): string[] => {
      const core = createSupervision(line(strategy), half);
      core.start();
      return written(core.onExit('b', 'error', 0));
    };
    expect(after('one_for_one')).toEqual(['start b']);
    expect(after('rest_for_one')).toEqual(['stop c', 'start b', 'start c']);
    expect(after('one_for_all')).toEqual(['stop c', 'stop a', 'start a', 'start b', 'start c']);
  });

  it('gives up with one restart more than the intensity within the period, and not with the same number', () => {
    const core = createSupervision(line('one_for_one'), half);
    core.start();
    expect([0, 50, 101].flatMap((at) => written(core.onExit('a', 'error', at)))).toEqual(['start a', 'start a', 'start a']);
    expect(written(core.onExit('a', 'error', 150))).toEqual(['stop c', 'stop b', 'escalate top']);
    expect(core.state).toBe('gave_up');
  });

  it('escalates into the strategy of the supervisor above, and counts anew below', () => {
    const below = line('one_for_one', { id: 'below', intensity: 0, children: [{ id: 'x' }, { id: 'y' }] });
    const core = createSupervision(line('rest_for_one', { children: [{ id: 'a' }, below, { id: 'z' }] }), half);
    core.start();
    const round = ['stop x', 'escalate below', 'stop z', 'start x', 'start y', 'start z'];
    expect(written(core.onExit('y', 'killed', 0))).toEqual(round);
    expect(written(core.onExit('y', 'killed', 1))).toEqual(round);
    expect(written(core.onExit('y', 'killed', 2))).toEqual(['stop x', 'escalate below', 'stop z', 'stop a', 'escalate top']);
  });

  it('waits longer with each restart of late, with full jitter, the whole group alike', () => {
    const backoff = { growth: 'exponential', delayMs: 100 } as const;
    const core = createSupervision(line('rest_for_one', { intensity: 9, backoff }), half);
    expect(core.start().map((action) => (action.type === 'start' ? action.delayMs : null))).toEqual([0, 0, 0]);
    const delays = (at: number): (number | null)[] =>
      core.onExit('b', 'error', at).flatMap((action) => (action.type === 'start' ? [action.delayMs] : []));
    expect([delays(0), delays(1), delays(2), delays(500)]).toEqual([
      [50, 50],
      [100, 100],
      [200, 200],
      [50, 50],
    ]);
  });

  it('refuses an id twice, an unknown child, and limits out of range', () => {
    expect(() => createSupervision(line('one_for_one', { children: [{ id: 'a' }, { id: 'a' }] }), half)).toThrow('the id a');
    expect(() => createSupervision(line('one_for_one', { children: [{ id: 'top' }] }), half)).toThrow(InvalidInputError);
    expect(() => createSupervision(line('one_for_one', { intensity: -1 }), half)).toThrow('intensity is -1');
    expect(() => createSupervision(line('one_for_one', { periodMs: 0 }), half)).toThrow('periodMs is 0');
    expect(() => createSupervision(line('one_for_one'), half).onExit('nobody', 'error', 0)).toThrow('no worker nobody');
  });
});

describe('restartSet', () => {
  it('keeps the order of start', () => {
    const order = ['a', 'b', 'c'];
    expect(restartSet('one_for_one', order, 'b')).toEqual(['b']);
    expect(restartSet('one_for_all', order, 'b')).toEqual(['a', 'b', 'c']);
    expect(restartSet('rest_for_one', order, 'b')).toEqual(['b', 'c']);
    expect(() => restartSet('one_for_all', order, 'd')).toThrow(InvalidInputError);
  });
});

describe('createIntensity', () => {
  it('agrees with counting all restarts of the period, also when it is rebuilt half-way', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 40 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 1, max: 100 }), gaps, (intensity, periodMs, steps) => {
        const window = createIntensity({ intensity, periodMs });
        const times: number[] = [];
        let now = 0;
        for (const step of steps) {
          now += step;
          times.push(now);
          const recent = times.filter((at) => at >= now - periodMs).length;
          expect(window.record(now)).toBe(recent <= intensity);
          const rebuilt = createIntensity({ intensity, periodMs });
          expect(times.map((at) => rebuilt.record(at)).at(-1)).toBe(recent <= intensity);
          expect(window.count).toBe(Math.min(recent, intensity + 1));
        }
      }),
      { seed: 6, numRuns: 300 },
    );
  });
});
