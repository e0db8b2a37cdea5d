export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Whether it aborted because the time was over. */
  readonly timedOut: () => boolean;
  /** Lets go of the others. */
  readonly release: () => void;
}

/**
 * A signal that aborts with any of the others, and after `timeoutMs`, until it is released. `AbortSignal.any` would
 * leave something behind on a signal that lives as long as the process.
 */
export function linkedSignal(signals: readonly AbortSignal[], timeoutMs?: number): LinkedSignal {
  const controller = new AbortController();
  let timedOut = false;
  const onAbort = (): void => controller.abort();
  for (const signal of signals) {
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  }
  const onTimeout = (): void => {
    timedOut = true;
    controller.abort();
  };
  const timer = timeoutMs === undefined ? undefined : setTimeout(onTimeout, timeoutMs).unref();
  return {
    signal: controller.signal,
    timedOut: () => timedOut,
    release: () => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener('abort', onAbort);
    },
  };
}
