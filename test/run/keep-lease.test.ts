import { expect, test } from 'vitest';
import { BusyError } from '../../src/errors.ts';
import { keepLease } from '../../src/run/keep-lease.ts';
import { createFold } from '../../src/run/fold.ts';
import { openSession } from '../../src/run/run-session.ts';
import type { RunSession } from '../../src/run/run-session.ts';
import { testRuntime, useScratch } from '../store/scratch.ts';
import { createRunPlace, reviewing, scripted } from './run-place.ts';

const { folder, onCleanUp } = useScratch();
const LEASE_MS = 100;

/** A session on a run that has ended, whose renewals do what is said. */
async function sessionWith(renew: () => Promise<void>): Promise<RunSession> {
  const place = await createRunPlace(await folder(), onCleanUp);
  const runId = await place.run(scripted(reviewing));
  const { store } = place.process(scripted(reviewing));
  const run = await store.log.load(runId);
  const runtime = { ...testRuntime(), log: () => undefined };
  const session = await openSession(run, createFold(), { ...(await store.session(run)), log: { ...store.log, renew }, runtime });
  return { ...session, leaseMs: LEASE_MS };
}

const lostOf = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason), { once: true }));

test('a renewal that fails now and then is begun again', async () => {
  let calls = 0;
  const { promise: enough, resolve } = (() => {
    let done = (): void => undefined;
    const made = new Promise<void>((ready) => (done = ready));
    return { promise: made, resolve: () => done() };
  })();
  const lease = keepLease(
    await sessionWith(async () => {
      calls += 1;
      if (calls === 6) resolve();
      if (calls % 3 === 1) throw new Error('for a moment');
    }),
  );
  await enough;
  expect(lease.lost.aborted).toBe(false);
  await lease.end();
});

test.each([
  ['fails', () => Promise.reject(new Error('disk'))],
  ['hangs', () => new Promise<void>(() => undefined)],
])('one that always %s means that the lease is lost', async (_how, renew) => {
  const lease = keepLease(await sessionWith(renew));
  expect(await lostOf(lease.lost)).toBeInstanceOf(BusyError);
  await lease.end();
});
