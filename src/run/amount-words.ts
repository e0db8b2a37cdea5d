import type { BudgetReached } from '../events.ts';

/** Below it four decimals would say that it is nothing. */
const LEAST_USD = 0.00005;
/** Of sums that nobody is asked for. */
const MOST_DECIMALS = 20;

/**
 * US dollars as people read them: cents; below a dollar up to four decimals where there are more than two; and of what
 * is less than those can say, its first two digits.
 */
export function dollars(usd: number): string {
  if (usd >= 1) return `$${usd.toFixed(2)}`;
  if (usd > 0 && usd < LEAST_USD) {
    const decimals = Math.min(1 - Math.floor(Math.log10(usd)), MOST_DECIMALS);
    return `$${usd.toFixed(decimals).replace(/0+$/u, '')}`;
  }
  return `$${usd.toFixed(4).replace(/0{1,2}$/u, '')}`;
}

/** So much of what a budget limits: `$0.40`, `400,000 tokens`, `1.5 s of work`, `1 attempt`. */
export function amountWords(what: BudgetReached['what'], amount: number): string {
  if (what === 'costUsd') return dollars(amount);
  if (what === 'wallMs') return amount < 1000 ? `${Math.round(amount)} ms of work` : `${Math.round(amount / 100) / 10} s of work`;
  const noun = what === 'steps' ? 'attempt' : 'token';
  return `${amount.toLocaleString('en-US')} ${noun}${amount === 1 ? '' : 's'}`;
}

/** Of a run that paused: whose budget is used up, and how much that is. */
export function pausedWords({ scope, agentId, what, limit }: BudgetReached): string {
  const whose = scope === 'agent' ? `${agentId ?? 'an agent'}'s` : `the ${scope}'s`;
  return `paused: ${whose} budget of ${amountWords(what, limit)} is used up`;
}

const WHATS = ['tokens', 'costUsd', 'wallMs', 'steps'] as const satisfies readonly BudgetReached['what'][];

/** What a raised budget is now; `what` as the event has it: `costUsd`, or `agent costUsd` of each agent's own. */
export function raisedWords(what: string, to: number | null): string {
  const isAgents = what.startsWith('agent ');
  const name = isAgents ? what.slice('agent '.length) : what;
  const known = WHATS.find((one) => one === name);
  const amount = to === null ? 'no limit' : known === undefined ? `${to} ${name}` : amountWords(known, to);
  return `budget raised: ${isAgents ? 'each agent to ' : 'to '}${amount}${to === null ? ` of ${name}` : ''}`;
}
