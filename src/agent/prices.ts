/** Dollars for a million tokens. */
interface Price {
  readonly input: number;
  readonly output: number;
  /** Writing to the cache that lives for 5 minutes. */
  readonly cacheWrite: number;
  readonly cacheRead: number;
}

interface ModelPrice extends Price {
  /** What a request costs whose input, cached parts included, has more tokens than `over`. */
  readonly large?: Price & { readonly over: number };
}

/** The day on which the prices below were looked up; source: platform.claude.com/docs/en/about-claude/pricing. */
export const PRICES_AS_OF = '2026-11-21';

const OPUS: ModelPrice = { input: 5, output: 25, cacheWrite: 6.25, cacheRead: 0.5 };
const SONNET_4: ModelPrice = { input: 3, output: 15, cacheWrite: 3.75, cacheRead: 0.3 };
const FABLE_5: ModelPrice = { input: 10, output: 50, cacheWrite: 12.5, cacheRead: 1 };
const FABLE_5_1: ModelPrice = { ...FABLE_5, cacheRead: 0.25 };

const PRICES: ReadonlyMap<string, ModelPrice> = new Map<string, ModelPrice>([
  [
    'claude-haiku-5-5',
    {
      input: 0.1,
      output: 0.5,
      cacheWrite: 0.125,
      cacheRead: 0.01,
      large: { over: 100_000, input: 0.5, output: 2.5, cacheWrite: 0.625, cacheRead: 0.05 },
    },
  ],
  ['claude-haiku-4-5', { input: 1, output: 5, cacheWrite: 1.25, cacheRead: 0.1 }],
  ['claude-sonnet-5-5', { input: 2, output: 10, cacheWrite: 2.5, cacheRead: 0.1 }],
  ['claude-sonnet-5', { input: 2, output: 10, cacheWrite: 2.5, cacheRead: 0.2 }],
  ['claude-sonnet-4-6', SONNET_4],
  ['claude-sonnet-4-5', SONNET_4],
  ['claude-opus-5-5', { input: 4, output: 20, cacheWrite: 5, cacheRead: 0.2 }],
  ['claude-opus-5', OPUS],
  ['claude-opus-4-8', OPUS],
  ['claude-opus-4-7', OPUS],
  ['claude-opus-4-6', OPUS],
  ['claude-opus-4-5', OPUS],
  ['claude-fable-5-1', FABLE_5_1],
  ['claude-mythos-5-1', FABLE_5_1],
  ['claude-fable-5', FABLE_5],
  ['claude-mythos-5', FABLE_5],
]);

/** Tokens of one request. `inputTokens` are those neither read from nor written to the cache. */
export interface RequestTokens {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
}

/** Dollars of one request, or `null` where the model's price is not known. A date at the end of a name is ignored. */
export function requestCostUsd(model: string, tokens: RequestTokens): number | null {
  const price = PRICES.get(model) ?? PRICES.get(model.replace(/-20\d{6}$/u, ''));
  if (price === undefined) return null;
  const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens } = tokens;
  const all = inputTokens + cacheReadTokens + cacheWriteTokens;
  const { input, output, cacheRead, cacheWrite } = price.large !== undefined && all > price.large.over ? price.large : price;
  return (inputTokens * input + outputTokens * output + cacheReadTokens * cacheRead + cacheWriteTokens * cacheWrite) / 1e6;
}

/** Tokens that a text has at most, roughly: one for 3 bytes; real texts have one for 3.5 to 4.5. */
export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 3);
}

/** A step of a plan, as far as its cost depends on it. */
export interface PlannedAsk {
  readonly model: string;
  /** Tokens of its first request; see {@link estimateTokens}. */
  readonly promptTokens: number;
  /** Requests it may need, ≥ 1: one, and one for each round of tool calls. */
  readonly turns: number;
  /** Tokens of one answer, thinking included. */
  readonly outputTokens: number;
  /** Tokens that a round of tool calls adds to the next request. */
  readonly toolTokens: number;
}

/** What an agent with tools takes for its part, by experience rather much. */
export const TYPICAL_ASK = { turns: 6, outputTokens: 2_000, toolTokens: 3_000 } as const;

export interface CostEstimate {
  readonly tokens: number;
  /** `null` where the price of a model is not known. */
  readonly costUsd: number | null;
  /** Models without a known price. */
  readonly unknownModels: readonly string[];
}

/**
 * What steps may cost, rather too much than too little: every turn sends all turns before it again, from the cache, and
 * answers at full length. An estimate for people, no limit: limits are kept while requests are made.
 */
export function estimateCost(steps: readonly PlannedAsk[]): CostEstimate {
  let tokens = 0;
  let costUsd = 0;
  const unknown = new Set<string>();
  for (const { model, promptTokens, turns, outputTokens, toolTokens } of steps) {
    for (let turn = 0; turn < turns; turn += 1) {
      const added = outputTokens + toolTokens;
      const cacheWriteTokens = turn === 0 ? promptTokens : added;
      const cacheReadTokens = turn === 0 ? 0 : promptTokens + (turn - 1) * added;
      tokens += cacheReadTokens + cacheWriteTokens + outputTokens;
      const cost = requestCostUsd(model, { inputTokens: 0, outputTokens, cacheReadTokens, cacheWriteTokens });
      if (cost === null) unknown.add(model);
      else costUsd += cost;
    }
  }
  return { tokens, costUsd: unknown.size > 0 ? null : costUsd, unknownModels: [...unknown] };
}
