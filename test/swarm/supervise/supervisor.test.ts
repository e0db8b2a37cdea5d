import { describe, expect, it } from 'vitest';
import { CancelledError, DeadlineError, InvalidInputError } from '../../../src/errors.ts';
import { createRuntime } from '../../../src/runtime.ts';
import type { ChildContext, Worker } from '../../../src/swarm/supervise/incarnation.ts';
import type { SupervisorSpec } from '../../../src/swarm/supervise/supervision.ts';
import { createSupervisor, type SupervisorEvent } from '../../../src/swarm/supervise/supervisor.ts';
import { createVirtualTime } from './virtual-time.ts';

/** A child that does what the test says. */
interface Puppet {
  readonly worker: Worker;
  crash(message?: string): void;
  finish(): void;
  /** Of the latest start. */
  readonly context: ChildContext;
  readonly starts: number;
}

interface PuppetOptions extends Omit<Worker, 'run'> {
  readonly ignoresSignal?: boolean;
}

function createPuppet({ ignoresSignal = false, ...options }: PuppetOptions = {}): Puppet {
  let starts = 0;
  let current: { readonly context: ChildContext; resolve(): void; reject(error: unknown): void } | undefined;
  const now = (): NonNullable<typeof current> => {
    if (current === undefined) throw new Error('it never started');
    return current;
  };
  return {
    worker: {
      ...options,
      run: (context) =>
        new Promise((resolve, reject) => {
          starts += 1;
          current = { context, resolve, reject };
          if (!ignoresSignal) context.signal.addEventListener('abort', () => reject(context.signal.reason));
        }),
    },
    crash: (message = 'crashed') => now().reject(new Error(message)),
    finish: () => now().resolve(),
    get context() {
      return now().context;
    },
    get starts() {
      return starts;
    },
  };
}

const spec = (more: Partial<SupervisorSpec> = {}): SupervisorSpec => ({
  id: 'top',
  strategy: 'one_for_one',
  intensity: 3,
  periodMs: 1000,
  children: [{ id: 'a' }, { id: 'b' }, { id: 'c' }],
  ...more,
});

function setUp(more: Partial<SupervisorSpec>, puppets: Readonly<Record<string, Puppet>>) {
  const time = createVirtualTime();
  const events: string[] = [];
  const onEvent = (event: SupervisorEvent): void => void events.push(`${event.type} ${event.id}`);
  const workers = Object.fromEntries(Object.entries(puppets).map(([id, { worker }]) => [id, worker]));
  const supervisor = createSupervisor({ spec: spec(more), workers, runtime: time.runtime, onEvent });
  supervisor.start();
  const take = (): string[] => events.splice(0);
  return { time, supervisor, take };
}

const three = (options: PuppetOptions = {}) => ({ a: createPuppet(options), b: createPuppet(options), c: createPuppet(options) });

describe('createSupervisor', () => {
  it('starts in order, restarts what crashed, and stops in reverse', async () => {
    const puppets = three();
    const { time, supervisor, take } = setUp({}, puppets);
    expect(take()).toEqual(['child_started a', 'child_started b', 'child_started c']);
    puppets.b.crash();
    await time.pass(0);
    expect(take()).toEqual(['child_exited b', 'child_started b']);
    expect(supervisor.running()).toEqual(['a', 'b', 'c']);
    expect(await supervisor.stop('enough')).toEqual({ how: 'stopped', reason: 'enough', abandoned: [] });
    expect(take()).toEqual(['child_stopped c', 'child_stopped b', 'child_stopped a']);
    expect(puppets.a.context.signal.reason).toBeInstanceOf(CancelledError);
    expect(time.sleeping).toBe(0);
  });

  it('rest_for_one: one child after the other is stopped before any is started', async () => {
    const puppets = { ...three(), b: createPuppet({ ignoresSignal: true, shutdownMs: 200 }) };
    const { time, supervisor, take } = setUp({ strategy: 'rest_for_one' }, puppets);
    take();
    puppets.a.crash();
    await time.pass(199);
    expect(take()).toEqual(['child_exited a', 'child_stopped c']);
    await time.pass(1);
    expect(take()).toEqual(['child_abandoned b', 'child_started a', 'child_started b', 'child_started c']);
    await Promise.all([supervisor.stop('end'), time.pass(1000)]);
  });

  it('a crash of a sibling while others are stopped is not counted', async () => {
    const slow = createPuppet({ ignoresSignal: true, shutdownMs: 200 });
    const puppets = { ...three(), c: slow };
    const { time, supervisor, take } = setUp({ strategy: 'one_for_all', intensity: 1 }, puppets);
    take();
    puppets.a.crash();
    await time.pass(100);
    puppets.b.crash();
    await time.pass(100);
    expect(take()).toEqual([
      'child_exited a',
      'child_abandoned c',
      'child_stopped b',
      'child_started a',
      'child_started b',
      'child_started c',
    ]);
    await Promise.all([supervisor.stop('end'), time.pass(1000)]);
  });

  it('a hung child is aborted and started again; one that beats is left alone', async () => {
    const beating = createPuppet({ heartbeatMs: 100 });
    const silent = createPuppet({ heartbeatMs: 100 });
    const deaf = createPuppet({ heartbeatMs: 100, shutdownMs: 30, ignoresSignal: true });
    const { time, supervisor, take } = setUp({}, { a: beating, b: silent, c: deaf });
    take();
    await time.pass(60);
    beating.context.heartbeat();
    const { signal } = silent.context;
    const forgotten = deaf.context;
    await time.pass(40);
    expect(signal.reason).toBeInstanceOf(DeadlineError);
    beating.context.heartbeat();
    expect(take()).toEqual(['child_exited b', 'child_started b']);
    await time.pass(30);
    expect(take()).toEqual(['child_exited c', 'child_abandoned c', 'child_started c']);
    expect(() => forgotten.heartbeat()).toThrow('c gave no sign of life for 100 ms');
    expect([beating.starts, silent.starts, deaf.starts]).toEqual([1, 2, 2]);
    const [end] = await Promise.all([supervisor.stop('end'), time.pass(1000)]);
    expect(end.abandoned).toEqual(['c', 'c']);
  });

  it('a process that stood still takes no child for hung', async () => {
    const puppet = createPuppet({ heartbeatMs: 100 });
    const runtime = createRuntime('silent');
    let ahead = 0;
    const ticks = (): number => runtime.ticks() + ahead;
    const sleep = async (ms: number, signal?: AbortSignal): Promise<void> => {
      await runtime.sleep(Math.min(ms, 5), signal);
      ahead += ms + (ahead === 0 ? 60_000 : 0); // as if the machine slept for a minute
    };
    const woken: string[] = [];
    const supervisor = createSupervisor({
      spec: spec({ children: [{ id: 'a' }] }),
      workers: { a: puppet.worker },
      runtime: { ...runtime, ticks, sleep },
      onEvent: ({ type }) => woken.push(`${type} at ${ahead > 60_100 ? 'the second' : 'the first'} waking`),
    });
    supervisor.start();
    await runtime.sleep(100);
    expect(woken.slice(0, 2)).toEqual(['child_started at the first waking', 'child_exited at the second waking']);
    await supervisor.stop('end');
  });

  it('waits before a restart when there is a backoff; a stop meanwhile starts nothing', async () => {
    const puppets = three();
    const { time, supervisor, take } = setUp({ backoff: { growth: 'fixed', delayMs: 100 } }, puppets);
    take();
    puppets.a.crash();
    await time.pass(49);
    expect(take()).toEqual(['child_exited a']);
    expect(supervisor.running()).toEqual(['b', 'c']);
    await time.pass(1);
    expect(take()).toEqual(['child_started a']);
    puppets.a.crash();
    await time.pass(10);
    await supervisor.stop('end');
    await time.pass(1000);
    expect([puppets.a.starts, time.sleeping]).toEqual([2, 0]);
  });

  it('gives up after too many restarts: all are stopped, last started first', async () => {
    const puppets = three();
    const { time, supervisor, take } = setUp({ intensity: 1 }, puppets);
    take();
    puppets.a.crash('first');
    await time.pass(10);
    puppets.a.crash('second');
    await time.pass(1000);
    expect(await supervisor.done).toEqual({ how: 'gave_up', reason: 'a ended: second', abandoned: [] });
    expect(take().slice(2)).toEqual(['child_exited a', 'child_stopped c', 'child_stopped b', 'gave_up top']);
    expect(await supervisor.stop('again')).toMatchObject({ how: 'gave_up' });
  });

  it('a subtree that gives up is started anew by the supervisor above it', async () => {
    const puppets = { ...three(), x: createPuppet(), y: createPuppet() };
    const below: SupervisorSpec = { ...spec({ intensity: 0, children: [{ id: 'x' }, { id: 'y' }] }), id: 'below' };
    const { time, supervisor, take } = setUp({ strategy: 'rest_for_one', children: [{ id: 'a' }, below, { id: 'c' }] }, puppets);
    take();
    puppets.x.crash();
    await time.pass(0);
    expect(take()).toEqual([
      'child_exited x',
      'child_stopped y',
      'gave_up below',
      'child_stopped c',
      'child_started x',
      'child_started y',
      'child_started c',
    ]);
    await supervisor.stop('end');
  });

  it('the kill switch tells all children in reverse order within half a second, however many ignore it', async () => {
    const time = createVirtualTime();
    const told: { readonly id: string; readonly at: number }[] = [];
    const ids = Array.from({ length: 200 }, (_, at) => `child-${at}`);
    const deaf = (id: string): Worker => ({
      run: ({ signal }) => new Promise(() => signal.addEventListener('abort', () => told.push({ id, at: time.runtime.ticks() }))),
    });
    const supervisor = createSupervisor({
      spec: spec({ children: ids.map((id) => ({ id })) }),
      workers: Object.fromEntries(ids.map((id) => [id, deaf(id)])),
      runtime: time.runtime,
    });
    supervisor.start();
    let endedAt = -1;
    const stopped = supervisor.stop('kill').finally(() => (endedAt = time.runtime.ticks()));
    await time.pass(2000);
    expect(told.map(({ id }) => id)).toEqual(ids.toReversed());
    expect(Math.max(...told.map(({ at }) => at))).toBeLessThanOrEqual(400);
    expect(endedAt).toBeLessThanOrEqual(500);
    expect((await stopped).abandoned).toHaveLength(200);
    expect(time.sleeping).toBe(0);
  });

  it('the kill switch does not wait for a restart that is under way', async () => {
    const puppets = { ...three(), c: createPuppet({ ignoresSignal: true, shutdownMs: 60_000 }) };
    const { time, supervisor, take } = setUp({ strategy: 'one_for_all' }, puppets);
    take();
    puppets.a.crash();
    await time.pass(100); // c is waited for, b is not told yet
    expect(puppets.b.context.signal.aborted).toBe(false);
    let end: unknown;
    void supervisor.stop('kill').then((value) => (end = value));
    await time.pass(500);
    expect(end).toEqual({ how: 'stopped', reason: 'kill', abandoned: ['c'] });
    expect(puppets.b.context.signal.aborted).toBe(true);
    expect(take()).toEqual(['child_exited a', 'child_abandoned c', 'child_stopped b']);
    expect([puppets.a.starts, puppets.b.starts, time.sleeping]).toEqual([1, 1, 0]);
  });

  it('a worker that is missing is refused; a listener that throws stops everything and is heard', async () => {
    const runtime = createVirtualTime().runtime;
    expect(() => createSupervisor({ spec: spec(), workers: { a: createPuppet().worker }, runtime })).toThrow(InvalidInputError);
    const puppet = createPuppet();
    const supervisor = createSupervisor({
      spec: spec({ children: [{ id: 'a' }] }),
      workers: { a: puppet.worker },
      runtime,
      onEvent: () => {
        throw new Error('deaf');
      },
    });
    supervisor.start();
    await expect(supervisor.done).rejects.toThrow('deaf');
    expect(puppet.context.signal.aborted).toBe(true);
  });
});
