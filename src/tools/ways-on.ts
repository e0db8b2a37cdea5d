/**
 * What can be done about a run that does not go on by itself. Calls are named as `executor/call-words.ts` reads them, so
 * that every surface shows them in its own way.
 */
import type { RunState } from '../run/runs.ts';

const call = (tool: string, input: Readonly<Record<string, unknown>>): string => `${tool} ${JSON.stringify(input)}`;

interface Reached {
  readonly scope: string;
  readonly agentId?: string | null | undefined;
  readonly what: string;
  readonly limit: number;
  readonly used: number;
}

/** The parameter of `run_resume` that raises a budget, and what stands in it when the budget is doubled. */
function doubled({ what, limit, used }: Reached): Readonly<Record<string, number>> {
  const least = Math.max(limit, used) * 2;
  if (what === 'costUsd') return { maxCostUsd: Math.ceil(least * 100) / 100 };
  if (what === 'wallMs') return { maxSeconds: Math.ceil(least / 1000) };
  return what === 'tokens' ? { maxTokens: Math.ceil(least) } : { maxSteps: Math.ceil(least) };
}

function amount(what: string, value: number): string {
  if (what === 'costUsd') return `$${value.toFixed(value < 1 ? 4 : 2)}`;
  if (what === 'wallMs') return `${Math.round(value / 100) / 10} s of work`;
  return `${value.toLocaleString('en-US')} ${what === 'steps' ? 'attempts' : what}`;
}

/** `the run may use $0.40 and has used $0.38`. */
export function budgetWords({ scope, agentId, what, limit, used }: Reached): string {
  const whose = scope === 'agent' ? (agentId ?? 'an agent') : scope === 'day' ? 'the project today' : 'the run';
  return `${whose} may use ${amount(what, limit)} and has used ${amount(what, used)}`;
}

export function hostWays(id: string, allHeldUntil: number | null): string {
  const claim = call('task_claim', { taskId: id });
  if (allHeldUntil === null) return `Claim a step with ${claim}, do it, answer with task_complete.`;
  const until = new Date(allHeldUntil).toISOString();
  return `All steps that are ready are claimed: answer them with task_complete. The first that is not answered is free again at ${until}, with ${claim}.`;
}

/** A limit to suggest for a run without one. */
const TOKENS = 1_000_000;

export function budgetWays(id: string, reached: Reached, unpriced: boolean): string {
  const end = `to end it: ${call('run_cancel', { runId: id })}.`;
  if (unpriced) {
    const bounded = call('run_resume', { runId: id, maxTokens: TOKENS });
    const known = 'or take a model whose price is known (SKILLFLOW_MODEL_SMALL, _STANDARD, _LARGE; unset, they are)';
    return `The price of a model is not known, so no limit in dollars can be kept, however high: limit its tokens instead, ${bounded}, ${known} and ${call('run_resume', { runId: id })}; ${end}`;
  }
  if (reached.scope === 'day') {
    const raise = reached.what === 'costUsd' ? 'SKILLFLOW_DAY_BUDGET_USD' : 'SKILLFLOW_DAY_BUDGET_TOKENS';
    return `To go on: raise the project's limit of a day (${raise}) or wait for the next day (UTC), then ${call('run_resume', { runId: id })}; ${end}`;
  }
  return `To go on with a higher limit: ${call('run_resume', { runId: id, ...doubled(reached) })}; ${end}`;
}

export function approvalWays(id: string): string {
  const answer = (approved: boolean): string => call('run_approve', { runId: id, approved });
  return `A person decides: ${answer(true)} or ${answer(false)}.`;
}

/**
 * Of a run that waits see what it waits for; `null`: there is nothing to do.
 * @param isUndone whether nobody could do a step of it: doing them again with the same provider would be no different
 */
export function waysOn(id: string, status: RunState, isUndone = false): string | null {
  if (status === 'interrupted') return `Go on with it: ${call('run_resume', { runId: id })}.`;
  if (status !== 'failed' && status !== 'cancelled') return null;
  if (isUndone) return 'Run the skill again with another provider.';
  return `Do steps of it again with ${call('run_retry', { runId: id, from: '<step>' })}, or run the skill again.`;
}

/** Why a run that has not completed has no report yet, and what to do. */
export function waysToReport(id: string, status: RunState): string {
  const look = call('run_status', { runId: id });
  if (status === 'running') return `It is under way: wait for its end; ${look} shows how far it is.`;
  return waysOn(id, status) ?? `See what it waits for with ${look}.`;
}
