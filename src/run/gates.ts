import { toSkillflowError } from '../errors.ts';
import type { EventBody } from '../events.ts';
import type { Gate } from '../skill/skill.ts';
import type { DriveEnd } from './drive.ts';
import type { RunSession } from './run-session.ts';

/**
 * Asks the person in front of this process; `null` when nobody is there to answer. Once `withdrawn` aborts no answer is
 * needed any more.
 */
export type AskPerson = (question: string, withdrawn: AbortSignal) => Promise<boolean | null>;

/** How a drive asks people. */
export interface Asking {
  readonly askPerson: AskPerson | undefined;
  /** Stops the drive. */
  readonly signal: AbortSignal;
  /** Waits without using up the time that the run may take. */
  readonly standStill: <T>(wait: () => Promise<T>) => Promise<T>;
}

/** Milliseconds between looks at whether an open question was answered, or its run cancelled, elsewhere. */
const LOOK_MS = 250;

/** Whether to refuse it ends the run: without `writing` it goes on, keeps what was found and writes nothing. */
export function refusalEndsRun(gate: string): boolean {
  return gate !== 'writing';
}

/** What became of a gate: `null` lets the run go on. `isAsked`: its question is on record already. */
function answered({ fold }: RunSession, gate: Gate, isAsked: boolean): DriveEnd | 'open' | null {
  const { status, cancelAsked, approvals } = fold.state;
  if (status !== 'running') return { why: 'elsewhere' };
  if (cancelAsked !== null) return { why: 'cancelled', reason: cancelAsked };
  const approval = approvals.get(gate);
  // What it was asked about is done again: whoever does that asks anew.
  if (isAsked && approval === undefined) return { why: 'elsewhere' };
  const approved = approval?.approved ?? null;
  if (approved === null) return 'open';
  return approved || !refusalEndsRun(gate) ? null : { why: 'cancelled', reason: `the approval "${gate}" was refused` };
}

/** Has the person asked until there is an answer, here or elsewhere, or the drive is stopped. */
async function answerOf(
  session: RunSession,
  gate: Gate,
  question: string,
  askPerson: AskPerson,
  signal: AbortSignal,
): Promise<boolean | null> {
  const { runtime } = session;
  const over = new AbortController();
  const { signal: withdrawn } = over;
  const gone = new Promise<null>((resolve) => withdrawn.addEventListener('abort', () => resolve(null), { once: true }));
  const onStop = (): void => over.abort();
  signal.addEventListener('abort', onStop, { once: true });
  if (signal.aborted) onStop();
  const look = async (): Promise<void> => {
    while (!withdrawn.aborted) {
      await session.sync();
      if (answered(session, gate, true) !== 'open') over.abort();
      await runtime.sleep(LOOK_MS, withdrawn).catch(() => undefined);
    }
  };
  const asked = askPerson(question, withdrawn).catch((error: unknown) => {
    runtime.log('warn', `the question could not be asked: ${toSkillflowError(error).message}`);
    return null;
  });
  const looking = look();
  try {
    return await Promise.race([asked, gone, looking.then(() => null)]);
  } finally {
    over.abort();
    signal.removeEventListener('abort', onStop);
    await looking;
  }
}

/**
 * Stops at a gate until a person has agreed: the run waits, and the one in front of this process is asked, if anyone is.
 * An answer that comes from elsewhere counts as well; the first one does. `null`: the run goes on. A refusal cancels the
 * run, but for `writing`: what was done is kept, and only its files are not written. Rejects with the signal's reason.
 */
export async function askApproval(
  session: RunSession,
  gate: Gate,
  question: string,
  { askPerson, signal, standStill }: Asking,
): Promise<DriveEnd | null> {
  const { log, run, fold } = session;
  const before = answered(session, gate, false);
  if (before !== 'open') return before;
  const asked: EventBody = { type: 'approval_asked', gate, question };
  await session.take(await log.wait(run.runId, 'approval', [asked]));
  await session.sync();
  if (answered(session, gate, true) === 'open' && askPerson !== undefined) {
    const answer = await standStill(() => answerOf(session, gate, question, askPerson, signal));
    signal.throwIfAborted();
    if (answer !== null && answered(session, gate, true) === 'open') {
      await session.take(await log.note(run.runId, [{ type: 'approval_given', gate, approved: answer, note: null }]));
    }
  }
  const end = answered(session, gate, true);
  if (end === 'open') return { why: 'approval', gate };
  // Who answered elsewhere may go on with the run, or not.
  if (end === null && fold.state.waiting === 'approval') await session.take(await log.wake(run.runId, { owner: session.owner }));
  return end;
}
