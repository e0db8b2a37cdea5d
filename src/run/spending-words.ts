import type { RunEvent } from '../events.ts';
import { dollars } from './amount-words.ts';

/** What a run may cost, and where it stops. */
export function spendingWords({
  provider,
  costUsd,
  budgetUsd,
}: Pick<RunEvent & { readonly type: 'spending_announced' }, 'provider' | 'costUsd' | 'budgetUsd'>): string {
  const cost = costUsd === null ? 'an unknown amount' : `up to about ${dollars(costUsd)}`;
  return `${provider} may cost ${cost}; ${budgetUsd === null ? 'there is no limit' : `it pauses at ${dollars(budgetUsd)}`}`;
}
