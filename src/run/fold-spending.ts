import type { EventUsage } from '../events.ts';
import type { Parts } from './fold-parts.ts';
import type { Used } from './folded-run.ts';

const UNUSED: Used = { tokens: 0, costUsd: 0, unpriced: 0, steps: 0, wallMs: 0 };
export function addUsed(parts: Parts, agentId: string, more: Partial<Used>): void {
  for (const key of ['', agentId]) {
    const { tokens, costUsd, unpriced, steps, wallMs } = parts.used.get(key) ?? UNUSED;
    parts.used.set(key, {
      tokens: tokens + (more.tokens ?? 0),
      costUsd: costUsd + (more.costUsd ?? 0),
      unpriced: unpriced + (more.unpriced ?? 0),
      steps: steps + (more.steps ?? 0),
      wallMs: wallMs + (more.wallMs ?? 0),
    });
  }
}

export function spend(parts: Parts, stepId: string, agentId: string, usage: EventUsage | undefined): void {
  if (usage === undefined) return;
  parts.usage.push({ ...usage, stepId, agentId });
  const tokens = usage.inputTokens + usage.outputTokens + usage.cacheReadTokens + usage.cacheWriteTokens;
  addUsed(parts, agentId, { tokens, costUsd: usage.costUsd ?? 0, unpriced: usage.costUsd === null ? 1 : 0 });
}
