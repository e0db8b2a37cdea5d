import { CancelledError, toSkillflowError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { AskRequest, AskResult, Provider } from './provider.ts';

/** Milliseconds that a provider has to end by itself after it was told to, and to say what it used. */
const GRACE_MS = 500;
/** Characters of an answer's texts, and values in it; a larger one is no answer. */
const MAX_CHARACTERS = 16_000_000;
const MAX_VALUES = 2_000_000;

/** Whether a value is too large to be kept; looks at no more of it than it must, so a cyclic one ends as well. */
function isTooLarge(value: unknown): boolean {
  const open: unknown[] = [value];
  let characters = 0;
  let values = 0;
  while (open.length > 0) {
    const next = open.pop();
    values += 1;
    if (typeof next === 'string') characters += next.length;
    else if (typeof next === 'object' && next !== null) {
      for (const [key, inner] of Object.entries(next)) {
        characters += key.length;
        open.push(inner);
        if (open.length > MAX_VALUES) return true;
      }
    }
    if (characters > MAX_CHARACTERS || values > MAX_VALUES) return true;
  }
  return false;
}

function bounded(result: AskResult): AskResult {
  if (result.status !== 'completed' || !isTooLarge(result.output)) return result;
  const usage = result.usage === undefined ? {} : { usage: result.usage };
  return { status: 'failed', code: 'bad_output', reason: 'the answer is too large to be kept', retryable: false, ...usage };
}

function thrown(error: unknown): AskResult {
  const { code, message, retryable } = toSkillflowError(error);
  return { status: 'failed', code, reason: message, retryable };
}

type Cut = 'cancelled' | 'deadline';

/** What to say when a call was ended: an answer that came in time after all is kept, unless nobody wants it. */
function cutShort(cut: Cut, settled: AskResult | undefined, called: boolean, deadlineMs: number): AskResult {
  if (cut === 'deadline' && settled?.status === 'completed') return settled;
  const used = settled === undefined || settled.status === 'skipped' ? undefined : settled.usage;
  const told = settled?.status === 'failed' ? settled.possiblyBilled : undefined;
  // A provider that ended by itself knows; one that had to be left may have a call in flight, if it has sent any.
  const possiblyBilled = settled === undefined ? called : (told ?? false);
  return {
    status: 'failed',
    code: cut,
    reason: cut === 'deadline' ? `no answer within ${deadlineMs} ms` : 'cancelled',
    retryable: cut === 'deadline',
    ...(possiblyBilled ? { possiblyBilled } : {}),
    ...(used === undefined ? {} : { usage: used }),
  };
}

/**
 * A provider that keeps the contract whatever the one inside does: `ask` never rejects, ends within `deadlineMs`,
 * within a second after its signal aborts, and its answers have a bounded size. A call that had to be left goes on
 * inside without anybody hearing of it; disposing ends it.
 */
export function withDeadline(provider: Provider, deadlineMs: number, runtime: Pick<Runtime, 'sleep'>): Provider {
  /** Resolves when the call must end, and why; `never` when it ended before. */
  const cutOf = async (request: AskRequest, over: AbortSignal): Promise<Cut> => {
    try {
      await runtime.sleep(deadlineMs, over);
      return 'deadline';
    } catch (error) {
      if (error instanceof CancelledError && request.signal.aborted) return 'cancelled';
      throw error;
    }
  };

  const ask = async (request: AskRequest): Promise<AskResult> => {
    if (request.signal.aborted) {
      return { status: 'failed', code: 'cancelled', reason: 'cancelled before it began', retryable: false };
    }
    const inner = new AbortController();
    const waiting = new AbortController();
    const onAbort = (): void => waiting.abort();
    request.signal.addEventListener('abort', onAbort, { once: true });
    let called = false;
    const onCall = async (): Promise<void> => {
      await request.onCall?.();
      called = true;
    };
    const answer = (async () => provider.ask({ ...request, onCall, signal: inner.signal }))().catch(thrown);
    const cut = cutOf(request, waiting.signal);
    cut.catch(() => undefined); // the answer came first
    try {
      const first = await Promise.race([answer, cut]);
      if (typeof first === 'object') return bounded(first);
      inner.abort();
      const grace = new AbortController();
      const left = runtime.sleep(GRACE_MS, grace.signal).catch(() => undefined);
      const settled = await Promise.race([answer, left]);
      grace.abort();
      return bounded(cutShort(first, settled ?? undefined, called, deadlineMs));
    } catch (error) {
      return thrown(error);
    } finally {
      waiting.abort();
      request.signal.removeEventListener('abort', onAbort);
    }
  };

  return { name: provider.name, paid: provider.paid, ask, [Symbol.asyncDispose]: () => provider[Symbol.asyncDispose]() };
}
