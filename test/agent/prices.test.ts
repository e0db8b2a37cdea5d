import { expect, test } from 'vitest';
import { DEFAULT_MODELS } from '../../src/agent/anthropic-models.ts';
import { estimateCost, estimateTokens, PRICES_AS_OF, requestCostUsd, TYPICAL_ASK } from '../../src/agent/prices.ts';

const tokens = (inputTokens: number, outputTokens = 0, cacheReadTokens = 0, cacheWriteTokens = 0) => ({
  inputTokens,
  outputTokens,
  cacheReadTokens,
  cacheWriteTokens,
});

test('a price has a day, and every model that is chosen by default has a price', () => {
  expect(PRICES_AS_OF).toMatch(/^\d{4}-\d\d-\d\d$/u);
  for (const model of Object.values(DEFAULT_MODELS)) expect(requestCostUsd(model, tokens(1))).toBeGreaterThan(0);
});

test('each kind of token has its price; a dated name is the same model; an unknown one costs nobody knows what', () => {
  expect(requestCostUsd('claude-opus-5-5', tokens(1e6, 1e6, 1e6, 1e6))).toBeCloseTo(4 + 20 + 0.2 + 5);
  expect(requestCostUsd('claude-sonnet-4-5-20250929', tokens(1e6))).toBeCloseTo(3);
  expect(requestCostUsd('gpt-x', tokens(1))).toBeNull();
});

test('a long prompt has its own price, cached parts counted', () => {
  expect(requestCostUsd('claude-haiku-5-5', tokens(100_000))).toBeCloseTo(0.01);
  expect(requestCostUsd('claude-haiku-5-5', tokens(50_000, 0, 60_000))).toBeCloseTo(0.025 + 0.003);
});

test('an estimate adds up what every turn sends again, and knows what it does not know', () => {
  const step = { model: 'claude-sonnet-5-5', promptTokens: 1_000, turns: 2, outputTokens: 100, toolTokens: 400 };
  expect(estimateCost([step])).toEqual({
    tokens: 2_700,
    costUsd: expect.closeTo((1_500 * 2.5 + 1_000 * 0.1 + 200 * 10) / 1e6, 9),
    unknownModels: [],
  });
  expect(estimateCost([step, { ...step, model: 'x' }])).toMatchObject({ costUsd: null, unknownModels: ['x'] });
  const typical = { ...TYPICAL_ASK, model: 'claude-sonnet-5-5', promptTokens: estimateTokens('x'.repeat(96_000)) };
  expect(estimateCost([typical]).costUsd).toBeGreaterThan(0.2);
  expect(estimateCost([])).toEqual({ tokens: 0, costUsd: 0, unknownModels: [] });
});
