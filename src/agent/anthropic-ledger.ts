import { UNKNOWN_PRICE } from './provider.ts';
import type { AskLimits } from './provider.ts';
import { type RequestTokens, requestCostUsd } from './prices.ts';
import type { Usage } from './usage.ts';

/** Fewer tokens than this are no answer: a request that may not have as many is not made. */
const MIN_OUTPUT_TOKENS = 512;

/** How many tokens an answer may have, or why no request may be made. */
export type Allowance = { readonly ok: true; readonly maxTokens: number } | { readonly ok: false; readonly reason: string };

/** What an attempt has spent, and what it may still spend. */
export interface Ledger {
  /** Counts a request that was sent, also one that failed. */
  record(tokens: RequestTokens): void;
  /** Sets tokens aside for a request that may have been charged without saying how much. Not part of the usage. */
  reserve(tokens: number): void;
  /** Whether tokens were set aside: it may have cost more than the usage says. */
  isInDoubt(): boolean;
  /** @param inputTokens estimate of the next request's input */
  allowance(inputTokens: number, wantedTokens: number): Allowance;
  /** `undefined` before the first request. */
  usage(): Usage | undefined;
}

export function createLedger(model: string, { maxTokens, maxCostUsd }: AskLimits): Ledger {
  const sum = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 };
  let requests = 0;
  let reserved = 0;
  let costUsd: number | null = 0;
  const price = (cacheWriteTokens: number, outputTokens: number): number | null =>
    requestCostUsd(model, { inputTokens: 0, outputTokens, cacheReadTokens: 0, cacheWriteTokens });

  const tokensLeft = (inputTokens: number): number => {
    if (maxTokens === null) return Number.POSITIVE_INFINITY;
    const spent = sum.inputTokens + sum.outputTokens + sum.cacheReadTokens + sum.cacheWriteTokens;
    return maxTokens - spent - reserved - inputTokens;
  };
  /** Output tokens that the money left pays for, `null` where the price is not known and no limit of tokens bounds it. */
  const affordable = (inputTokens: number): number | null => {
    if (maxCostUsd === null) return Number.POSITIVE_INFINITY;
    const unbounded = maxTokens === null ? null : Number.POSITIVE_INFINITY;
    const input = price(inputTokens, 0);
    const one = price(inputTokens, 1);
    const held = price(reserved, 0);
    if (input === null || one === null || held === null || costUsd === null) return unbounded;
    return Math.floor((maxCostUsd - costUsd - held - input) / (one - input));
  };

  return {
    record: (tokens) => {
      requests += 1;
      sum.inputTokens += tokens.inputTokens;
      sum.outputTokens += tokens.outputTokens;
      sum.cacheReadTokens += tokens.cacheReadTokens;
      sum.cacheWriteTokens += tokens.cacheWriteTokens;
      const cost = requestCostUsd(model, tokens);
      costUsd = cost === null || costUsd === null ? null : costUsd + cost;
    },
    reserve: (tokens) => {
      reserved += tokens;
    },
    isInDoubt: () => reserved > 0,
    allowance: (inputTokens, wantedTokens) => {
      const paid = affordable(inputTokens);
      if (paid === null) {
        return {
          ok: false,
          reason: `${UNKNOWN_PRICE} ${model} is not known, so a limit in dollars cannot be kept: limit its tokens, or take a model whose price is known`,
        };
      }
      const most = Math.min(wantedTokens, tokensLeft(inputTokens), paid);
      if (most >= Math.min(MIN_OUTPUT_TOKENS, wantedTokens)) return { ok: true, maxTokens: most };
      const limits = [maxTokens === null ? '' : `${maxTokens} tokens`, maxCostUsd === null ? '' : `$${maxCostUsd}`].filter(
        (text) => text !== '',
      );
      return {
        ok: false,
        reason: `the next request needs about ${inputTokens} tokens of input, and of ${limits.join(' and ')} too little is left`,
      };
    },
    usage: () => (requests === 0 ? undefined : { model, ...sum, requests, costUsd }),
  };
}
