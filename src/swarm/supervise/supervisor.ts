import { InternalError, InvalidInputError } from '../../errors.ts';
import type { Runtime } from '../../runtime.ts';
import { slept, startIncarnation, type Exit, type Incarnation, type Worker } from './incarnation.ts';
import { createSupervision, type Action, type ExitReason, type SupervisorSpec, type WorkerSpec } from './supervision.ts';

export type SupervisorEvent =
  | { readonly type: 'child_started'; readonly id: string }
  | { readonly type: 'child_exited'; readonly id: string; readonly reason: ExitReason; readonly error: unknown }
  | { readonly type: 'child_stopped'; readonly id: string }
  /** It ignored its signal and still runs, though nobody waits for it; a new one may run beside it. */
  | { readonly type: 'child_abandoned'; readonly id: string }
  | { readonly type: 'gave_up'; readonly id: string };

export interface SupervisorDeps {
  readonly spec: SupervisorSpec;
  /** By id; one for each worker of the tree. */
  readonly workers: Readonly<Record<string, Worker>>;
  readonly runtime: Runtime;
  /** Hears what happens, at once; what it throws ends the supervisor. */
  readonly onEvent?: (event: SupervisorEvent) => void;
}

/** How everything ended. */
export interface SupervisorEnd {
  readonly how: 'stopped' | 'gave_up';
  readonly reason: string;
  /** Children that ignored their signal and still run. */
  readonly abandoned: readonly string[];
}

/** Runs a tree of children and keeps it running. */
export interface Supervisor {
  /** Starts the children; nothing when it was started before. */
  start(): void;
  /**
   * The kill switch: every child is told to end within {@link KILL_MS}, last started first, each waited for as long as
   * that allows; nothing is started after the call. Who ignores it is abandoned and named. Later calls wait for the first.
   */
  stop(reason: string): Promise<SupervisorEnd>;
  /** Resolves when all has ended; rejects with what `onEvent` threw, after the children were stopped. */
  readonly done: Promise<SupervisorEnd>;
  /** Children that run, in order of start. */
  running(): readonly string[];
}

/** Milliseconds in which the kill switch has told every child. */
const KILL_MS = 400;
/** Milliseconds for those that were told last. */
const LAST_GRACE_MS = 100;

function workerIds(spec: WorkerSpec | SupervisorSpec): readonly string[] {
  return 'children' in spec ? spec.children.flatMap(workerIds) : [spec.id];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function checkWorkers(spec: SupervisorSpec, workers: Readonly<Record<string, Worker>>): void {
  const missing = workerIds(spec).filter((id) => !Object.hasOwn(workers, id));
  if (missing.length === 0) return;
  throw new InvalidInputError(`the supervisor ${spec.id} has nothing to run for ${missing.join(', ')}`, {
    hint: 'Give a worker for each id of the tree.',
  });
}

interface Family {
  /** Carries out what was decided. */
  start(id: string): void;
  /** Asks a child to end and waits at most its `shutdownMs`. */
  stop(id: string, reason: string): Promise<void>;
  /** Ends all, in the given order of all ids; resolves with those that still run after {@link KILL_MS} and a last grace. */
  kill(ids: readonly string[], reason: string): Promise<readonly string[]>;
  isRunning(id: string): boolean;
}

interface FamilyDeps extends Pick<SupervisorDeps, 'workers' | 'runtime'> {
  readonly emit: (event: SupervisorEvent) => void;
  /** Aborted by the kill switch: nobody waits any more. */
  readonly hurry: AbortSignal;
  readonly onExit: (id: string, exit: Exit) => Promise<void>;
  readonly onDefect: (error: unknown) => void;
}

/** The children that there are, one start of each at a time. */
function createFamily({ workers, runtime, emit, hurry, onExit, onDefect }: FamilyDeps): Family {
  const live = new Map<string, Incarnation>();
  /** Asked to end, and waited for. */
  const leaving = new Set<Incarnation>();
  const abandoned = new Set<Incarnation>();
  /** Exits are handled one after the other, as by a process of its own. */
  let handled = Promise.resolve();
  const handle = async (before: Promise<void>, child: Incarnation, exit: Exit): Promise<void> => {
    await before;
    try {
      await exited(child, exit);
    } catch (error) {
      onDefect(error);
    }
  };

  const gone = (child: Incarnation, hasEnded: boolean): void => {
    leaving.delete(child);
    if (!hasEnded) abandoned.add(child);
    emit({ type: hasEnded ? 'child_stopped' : 'child_abandoned', id: child.id });
  };
  const exited = async (child: Incarnation, exit: Exit): Promise<void> => {
    if (live.get(child.id) !== child) return; // stopped while its exit was waiting
    live.delete(child.id);
    emit({ type: 'child_exited', id: child.id, reason: exit.reason, error: exit.error });
    if (exit.isAbandoned) gone(child, false);
    await onExit(child.id, exit);
  };
  return {
    isRunning: (id) => live.has(id),
    start: (id) => {
      const worker = workers[id];
      if (worker === undefined) throw new InternalError(`there is no worker ${id}`);
      const child: Incarnation = startIncarnation({
        id,
        worker,
        runtime,
        onExit: (exit) => {
          handled = handle(handled, child, exit);
        },
      });
      live.set(id, child);
      emit({ type: 'child_started', id });
    },
    stop: async (id, reason) => {
      const child = live.get(id);
      if (child === undefined) return;
      live.delete(id);
      leaving.add(child);
      const hasEnded = await child.stop(reason, child.shutdownMs, hurry);
      if (hasEnded || !hurry.aborted) gone(child, hasEnded);
    },
    kill: async (ids, reason) => {
      const children = ids.flatMap((id) => live.get(id) ?? []);
      live.clear();
      for (const child of children) leaving.add(child);
      const deadline = runtime.ticks() + KILL_MS;
      for (const [at, child] of children.entries()) {
        const share = (deadline - runtime.ticks()) / (children.length - at);
        await child.stop(reason, Math.min(child.shutdownMs, share));
      }
      await Promise.all([...leaving].map((child) => child.endsWithin(LAST_GRACE_MS)));
      for (const child of leaving) gone(child, await child.endsWithin(0));
      const still: string[] = [];
      for (const child of abandoned) if (!(await child.endsWithin(0))) still.push(child.id);
      return still;
    },
  };
}

/**
 * Runs workers under {@link createSupervision}'s rules, in this process: a child is an async function, so nothing can end
 * one that ignores its signal. It is abandoned then, which is reported, and what it does later changes nothing here; what
 * must end for certain belongs into a process of its own, which the worker kills.
 *
 * @throws InvalidInputError a worker is missing; also those of `createSupervision`
 */
export function createSupervisor({ spec, workers, runtime, onEvent = () => undefined }: SupervisorDeps): Supervisor {
  checkWorkers(spec, workers);
  const core = createSupervision(spec, runtime);
  const hurry = new AbortController();
  /** Starts that wait for their delay, each with the decision that it comes from. */
  const waiting = new Map<string, readonly Action[]>();
  let killed: Promise<void> | undefined;
  let resolve: (end: SupervisorEnd) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const done = new Promise<SupervisorEnd>((...settle) => ([resolve, reject] = settle));

  const onDefect = (error: unknown): void => {
    reject(error);
    void kill(`the supervisor failed: ${messageOf(error)}`);
  };
  const emit = (event: SupervisorEvent): void => {
    try {
      onEvent(event);
    } catch (error) {
      onDefect(error);
    }
  };
  const launch = async (actions: readonly Action[]): Promise<void> => {
    const starts = actions.flatMap((action) => (action.type === 'start' ? [action] : []));
    for (const { id } of starts) waiting.set(id, actions);
    const delayMs = starts[0]?.delayMs ?? 0;
    // A signal of its own: of more than ten that listen to one, Node warns.
    if (delayMs > 0 && !(await slept(runtime, delayMs, AbortSignal.any([hurry.signal])))) return;
    for (const { id } of starts) {
      if (hurry.signal.aborted || waiting.get(id) !== actions) continue; // stopped or decided anew meanwhile
      waiting.delete(id);
      family.start(id);
    }
  };
  const onExit = async (child: string, { reason, error }: Exit): Promise<void> => {
    const actions = core.onExit(child, reason, runtime.ticks());
    const why = `${child} ended: ${error === null ? reason : messageOf(error)}`;
    for (const { type, id } of actions) if (type === 'stop') waiting.delete(id);
    for (const { type, id } of actions) {
      if (hurry.signal.aborted) return;
      if (type === 'stop') await family.stop(id, why);
      if (type === 'escalate') emit({ type: 'gave_up', id });
    }
    if (core.state === 'gave_up') await kill(why);
    else void launch(actions);
  };
  const family = createFamily({ workers, runtime, emit, hurry: hurry.signal, onExit, onDefect });
  const kill = (reason: string): Promise<void> => {
    killed ??= (async () => {
      const how = core.state === 'gave_up' ? 'gave_up' : 'stopped';
      hurry.abort();
      core.stop();
      // Not what the core says is up: some of what it has stopped may still wait for its turn.
      resolve({ how, reason, abandoned: await family.kill(workerIds(spec).toReversed(), reason) });
    })();
    return killed;
  };

  return {
    start: () => void launch(core.start()),
    stop: async (reason) => {
      await kill(reason);
      return done;
    },
    done,
    running: () => core.up().filter((id) => family.isRunning(id)),
  };
}
