import { BusyError } from '../errors.ts';
import { createSupervisor } from '../swarm/supervise/supervisor.ts';
import type { RunSession } from './run-session.ts';

/** Renewals in the time of one lease. */
const BEATS = 5;
/** Milliseconds that a renewal under way has at the end. */
const SHUTDOWN_MS = 1_000;

export interface KeptLease {
  /** Aborts when the lease could not be renewed for so long that others may have the steps by now. */
  readonly lost: AbortSignal;
  end(): Promise<void>;
}

/**
 * Renews what this process holds of a run, under supervision: a renewal that fails or hangs is begun again, and when that
 * happens for as long as the lease lasts, this process must not go on with steps that others may take.
 */
export function keepLease({ log, run, owner, runtime, leaseMs }: RunSession): KeptLease {
  const lost = new AbortController();
  const lose = (): void =>
    lost.abort(
      new BusyError(`the lease of ${run.runId} was lost: it could not be renewed`, {
        hint: `Go on with it by \`skillflow resume ${run.runId}\`; what was done is kept.`,
      }),
    );
  const beatMs = leaseMs / BEATS;
  const supervisor = createSupervisor({
    spec: { id: 'lease', strategy: 'one_for_one', intensity: BEATS - 1, periodMs: 2 * leaseMs, children: [{ id: 'renewal' }] },
    workers: {
      renewal: {
        heartbeatMs: leaseMs,
        shutdownMs: SHUTDOWN_MS,
        run: async (child) => {
          for (;;) {
            await runtime.sleep(beatMs, child.signal);
            await log.renew(run.runId, owner);
            child.heartbeat();
          }
        },
      },
    },
    runtime,
    onEvent: (event) => {
      if (event.type === 'child_exited') {
        const why = event.error instanceof Error ? event.error.message : String(event.error);
        runtime.log('warn', `the lease of ${run.runId} could not be renewed: ${why}`);
        if (event.reason === 'killed') lose(); // it hung for the time of a whole lease
      } else if (event.type === 'gave_up') lose();
    },
  });
  supervisor.start();
  return {
    lost: lost.signal,
    end: async () => {
      await supervisor.stop('the drive has ended');
    },
  };
}
