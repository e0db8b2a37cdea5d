import type { ServerContext } from '@modelcontextprotocol/server';

/** `advance`: told when it advances the call, and not often; `minor`: not often; `news`: always. */
type Weight = 'advance' | 'minor' | 'news';

/** Tells a client how far its call is, where it asked for that. */
export interface Progress {
  /** @param part 0–1 */
  readonly report: (part: number, what: string, weight: Weight) => void;
}

const INTERVAL_MS = 100;
/** A call is done with its answer, not before. */
const MOST = 0.99;
/** What a message that did not advance the call adds to its progress, which the protocol wants to grow with every message. */
const NEWS_STEP = 1e-6;

/** Progress of one request; nothing is sent when it carries no token. */
export function createProgress(context: ServerContext, onError: (message: string) => void): Progress {
  const progressToken = context.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return { report: () => undefined };
  let lastTicks = -Infinity;
  let highest = 0;
  return {
    report: (part, what, weight) => {
      const done = Math.min(MOST, part);
      const ticks = performance.now();
      const progress = weight === 'advance' ? done : Math.max(done, highest + Math.min(NEWS_STEP, (1 - highest) / 2));
      if (progress <= highest) return;
      if (weight !== 'news' && part < 1 && ticks - lastTicks < INTERVAL_MS) return;
      lastTicks = ticks;
      highest = progress;
      context.mcpReq
        .notify({ method: 'notifications/progress', params: { progressToken, progress, total: 1, message: what } })
        .catch((error: unknown) => onError(`a progress message could not be sent: ${String(error)}`));
    },
  };
}
