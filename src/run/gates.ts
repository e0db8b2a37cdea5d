import { toSkillflowError } from '../errors.ts';
import type { EventBody } from '../events.ts';
import type { Gate } from '../skill/skill.ts';
import type { DriveEnd } from './drive.ts';
import type { RunSession } from './run-session.ts';

/** Asks the person in front of this process; `null` when nobody is there to answer. */
export type AskPerson = (question: string) => Promise<boolean | null>;

/** Whether a gate's answer is there: `null` lets the run go on. */
function answered(session: RunSession, gate: Gate): DriveEnd | 'open' | null {
  const approved = session.fold.state.approvals.get(gate)?.approved ?? null;
  if (approved === null) return 'open';
  return approved ? null : { why: 'cancelled', reason: `the approval "${gate}" was refused` };
}

/**
 * Stops at a gate until a person has agreed: asks the one in front, and has the run wait where nobody is. `null`: it is
 * passed. A refusal cancels the run.
 */
export async function askApproval(
  session: RunSession,
  gate: Gate,
  question: string,
  askPerson: AskPerson | undefined,
): Promise<DriveEnd | null> {
  const before = answered(session, gate);
  if (before !== 'open') return before;
  const { log, run, runtime } = session;
  const answer = await askPerson?.(question).catch((error: unknown) => {
    runtime.log('warn', `the question could not be asked: ${toSkillflowError(error).message}`);
    return null;
  });
  if (answer === true || answer === false) {
    await session.take(await log.note(run.runId, [{ type: 'approval_given', gate, approved: answer, note: null }]));
    return answer ? null : { why: 'cancelled', reason: `the approval "${gate}" was refused` };
  }
  const asked: EventBody = { type: 'approval_asked', gate, question };
  await session.take(await log.wait(run.runId, 'approval', [asked]));
  return { why: 'approval', gate };
}
