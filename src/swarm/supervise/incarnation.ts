import { CancelledError, DeadlineError } from '../../errors.ts';
import type { Runtime } from '../../runtime.ts';
import type { ExitReason } from './supervision.ts';

export interface ChildContext {
  /** Aborted when the child is to end: it has `shutdownMs` for that. */
  readonly signal: AbortSignal;
  /** The child is alive. Throws the signal's reason once it was aborted, so that a forgotten child ends at its next one. */
  heartbeat(): void;
}

/** What a child does, anew at each start. */
export interface Worker {
  /** Its end is a normal exit; its rejection is a failure. */
  run(context: ChildContext): Promise<void>;
  /** Milliseconds without `heartbeat()` after which it is taken for hung; absent: it is never. */
  readonly heartbeatMs?: number;
  /** Milliseconds that it has for its end once it is asked to; default 5,000, as in OTP. 0: nobody waits. */
  readonly shutdownMs?: number;
}

const DEFAULT_SHUTDOWN_MS = 5000;

export interface Exit {
  readonly reason: ExitReason;
  /** What was thrown, or why it was killed; `null` after a normal exit. */
  readonly error: unknown;
  /** Killed, and it still runs: nothing can end a function that ignores its signal. */
  readonly isAbandoned: boolean;
}

/** One start of a child. */
export interface Incarnation {
  readonly id: string;
  readonly shutdownMs: number;
  /**
   * Asks it to end and waits; its exit is not reported then. `false`: it was still running after `withinMs`, or when
   * `hurry` aborted.
   */
  stop(reason: string, withinMs: number, hurry?: AbortSignal): Promise<boolean>;
  /** Waits for its end, without asking. */
  endsWithin(ms: number, hurry?: AbortSignal): Promise<boolean>;
}

export interface IncarnationOptions {
  readonly id: string;
  readonly worker: Worker;
  readonly runtime: Runtime;
  /** Called once, unless it was stopped before. */
  readonly onExit: (exit: Exit) => void;
}

/** Sleeps; `true` when the whole time has passed, `false` when the signal ended it. */
export async function slept(runtime: Runtime, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await runtime.sleep(ms, signal);
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

/**
 * Resolves once nobody has beaten for `heartbeatMs`, or when `signal` aborts (`false`). Where it wakes later by more than
 * a period, the whole process stood still and not the child, which is given another period.
 */
async function isSilent(heartbeatMs: number, lastBeat: () => number, runtime: Runtime, signal: AbortSignal): Promise<boolean> {
  let since = runtime.ticks(); // what it did before its first await was at one go
  for (;;) {
    since = Math.max(since, lastBeat());
    const wakeAt = since + heartbeatMs;
    const left = wakeAt - runtime.ticks();
    if (left <= 0) return true;
    if (!(await slept(runtime, left, signal))) return false;
    if (runtime.ticks() - wakeAt > heartbeatMs) since = runtime.ticks();
  }
}

/** Starts a child. */
export function startIncarnation({ id, worker, runtime, onExit }: IncarnationOptions): Incarnation {
  const { heartbeatMs, shutdownMs = DEFAULT_SHUTDOWN_MS } = worker;
  const abort = new AbortController();
  const over = new AbortController();
  let lastBeat = runtime.ticks();
  /** Nobody is interested in its exit any more. */
  let isSettled = false;
  let hasEnded = false;

  const heartbeat = (): void => {
    abort.signal.throwIfAborted();
    lastBeat = runtime.ticks();
  };
  const settle = (exit: Exit): void => {
    if (isSettled) return;
    isSettled = true;
    onExit(exit);
  };
  const run = async (): Promise<void> => {
    let exit: Exit = { reason: 'normal', error: null, isAbandoned: false };
    try {
      await worker.run({ signal: abort.signal, heartbeat });
    } catch (error) {
      exit = { reason: 'error', error, isAbandoned: false };
    }
    hasEnded = true;
    over.abort();
    if (!abort.signal.aborted) settle(exit);
  };
  const endsWithin = async (ms: number, hurry?: AbortSignal): Promise<boolean> => {
    if (hasEnded || ms <= 0 || hurry?.aborted === true) return hasEnded;
    const signal = hurry === undefined ? over.signal : AbortSignal.any([over.signal, hurry]);
    await slept(runtime, ms, signal);
    return hasEnded;
  };
  const watch = async (ms: number): Promise<void> => {
    if (!(await isSilent(ms, () => lastBeat, runtime, AbortSignal.any([over.signal, abort.signal])))) return;
    const error = new DeadlineError(`${id} gave no sign of life for ${ms} ms`, {
      hint: 'Call heartbeat() more often, or allow more time between heartbeats.',
    });
    abort.abort(error);
    settle({ reason: 'killed', error, isAbandoned: !(await endsWithin(shutdownMs)) });
  };
  void run();
  if (heartbeatMs !== undefined) void watch(heartbeatMs);
  return {
    id,
    shutdownMs,
    endsWithin,
    stop: (reason, withinMs, hurry) => {
      isSettled = true;
      if (!abort.signal.aborted) abort.abort(new CancelledError(`${id} was stopped: ${reason}`));
      return endsWithin(withinMs, hurry);
    },
  };
}
