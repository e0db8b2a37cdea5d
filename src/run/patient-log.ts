import { BusyError } from '../errors.ts';
import type { RunLog } from './run-log.ts';

/** How often a write is tried while others hold the database's lock; each try waits about 10 s for it by itself. */
const TRIES = 6;

async function patiently<T>(write: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof BusyError) || tries >= TRIES) throw error; // nothing was written
    }
  }
}

/**
 * A run's log for those who drive it: a busy database is waited for, as a result that is not written down would have to
 * be paid for again.
 */
export function patientLog(log: RunLog): RunLog {
  return {
    begin: (run) => patiently(() => log.begin(run)),
    load: (runId) => log.load(runId),
    flags: (runId) => log.flags(runId),
    claim: (request) => patiently(() => log.claim(request)),
    isFree: (runId, stepId) => log.isFree(runId, stepId),
    renew: (runId, owner) => log.renew(runId, owner), // it is repeated soon
    complete: (claim, result) => patiently(() => log.complete(claim, result)),
    skip: (claim, code, reason) => patiently(() => log.skip(claim, code, reason)),
    fail: (claim, failure) => patiently(() => log.fail(claim, failure)),
    reset: (claim, reason) => patiently(() => log.reset(claim, reason)),
    leave: (runId, owner, summary, event) => patiently(() => log.leave(runId, owner, summary, event)),
    skipWaiting: (runId, reason) => patiently(() => log.skipWaiting(runId, reason)),
    grow: (runId, steps, reason) => patiently(() => log.grow(runId, steps, reason)),
    note: (runId, events) => patiently(() => log.note(runId, events)),
    wait: (runId, waiting, events) => patiently(() => log.wait(runId, waiting, events)),
    wake: (runId, by) => patiently(() => log.wake(runId, by)),
    askCancel: (runId, reason) => patiently(() => log.askCancel(runId, reason)),
    respecify: (runId, spec, events) => patiently(() => log.respecify(runId, spec, events)),
    finish: (runId, status, summary, event, also) => patiently(() => log.finish(runId, status, summary, event, also)),
  };
}
