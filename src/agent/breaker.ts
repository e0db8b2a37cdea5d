import type { Runtime } from '../runtime.ts';
import type { AskRequest, AskResult, Provider } from './provider.ts';

export interface BreakerConfig {
  /** Retryable failures in a row that open the circuit, ≥ 1. */
  readonly failures: number;
  /** Milliseconds that it stays open. A provider that asks to wait longer is obeyed, up to `maxCoolDownMs`. */
  readonly coolDownMs: number;
  readonly maxCoolDownMs: number;
}

/** Times are of a monotonic clock, in milliseconds. */
export type BreakerState =
  | { readonly status: 'closed'; readonly failures: number }
  | { readonly status: 'open'; readonly untilMs: number }
  /** The cool-down is over: one call goes through, and what comes of it decides. */
  | { readonly status: 'half_open' };

/** What a call may do. Only the answer to a `probe` moves a half-open circuit; that of a call of before does not. */
export type Permit = 'call' | 'probe' | { readonly retryAfterMs: number };

/** `neutral` says nothing about the provider's health: cancelled, out of budget, not allowed. */
export type BreakerOutcome = 'ok' | 'failed' | 'neutral';

export const CLOSED: BreakerState = { status: 'closed', failures: 0 };

/** Whether a call may be made at `nowMs`, and the state that follows. */
export function admit(state: BreakerState, config: BreakerConfig, nowMs: number): { state: BreakerState; permit: Permit } {
  if (state.status === 'closed') return { state, permit: 'call' };
  if (state.status === 'half_open') return { state, permit: { retryAfterMs: config.coolDownMs } };
  if (nowMs < state.untilMs) return { state, permit: { retryAfterMs: Math.ceil(state.untilMs - nowMs) } };
  return { state: { status: 'half_open' }, permit: 'probe' };
}

/** The state after a call that was admitted with `permit` came to an end. */
export function settle(
  state: BreakerState,
  config: BreakerConfig,
  ended: {
    readonly permit: 'call' | 'probe';
    readonly outcome: BreakerOutcome;
    readonly nowMs: number;
    readonly retryAfterMs?: number | undefined;
  },
): BreakerState {
  const { permit, outcome, nowMs, retryAfterMs = 0 } = ended;
  const pauseMs = Math.max(config.coolDownMs, Math.min(retryAfterMs, config.maxCoolDownMs));
  if (permit === 'probe') {
    if (state.status !== 'half_open') return state;
    // A probe that learned nothing: the next call is one at once.
    if (outcome === 'neutral') return { status: 'open', untilMs: nowMs };
    return outcome === 'ok' ? CLOSED : { status: 'open', untilMs: nowMs + pauseMs };
  }
  if (state.status !== 'closed' || outcome === 'neutral') return state;
  if (outcome === 'ok') return CLOSED;
  const failures = state.failures + 1;
  return failures >= config.failures ? { status: 'open', untilMs: nowMs + pauseMs } : { status: 'closed', failures };
}

function outcomeOf(result: AskResult): BreakerOutcome {
  if (result.status !== 'failed') return 'ok';
  return result.retryable ? 'failed' : 'neutral';
}

/** A provider behind a circuit breaker. */
export interface GuardedProvider extends Provider {
  state(): BreakerState;
}

/**
 * Stops asking a provider that fails again and again: while the circuit is open, `ask` answers at once, failed and
 * retryable, with the code `circuit_open` and the milliseconds until the next call may be made. `onChange` hears of
 * each change of its status.
 */
export function createBreaker(
  provider: Provider,
  runtime: Pick<Runtime, 'ticks'>,
  config: BreakerConfig,
  onChange?: (state: BreakerState) => void,
): GuardedProvider {
  let state = CLOSED;

  const become = (next: BreakerState): void => {
    const changed = next.status !== state.status;
    state = next;
    if (changed) onChange?.(next);
  };

  const ask = async (request: AskRequest): Promise<AskResult> => {
    const admitted = admit(state, config, runtime.ticks());
    become(admitted.state);
    const { permit } = admitted;
    if (typeof permit === 'object') {
      const seconds = Math.ceil(permit.retryAfterMs / 1000);
      const reason = `the provider ${provider.name} failed again and again; it is asked again in ${seconds} s at the earliest`;
      return { status: 'failed', code: 'circuit_open', reason, retryable: true, retryAfterMs: permit.retryAfterMs };
    }
    const result = await provider.ask(request);
    const retryAfterMs = result.status === 'failed' ? result.retryAfterMs : undefined;
    become(settle(state, config, { permit, outcome: outcomeOf(result), nowMs: runtime.ticks(), retryAfterMs }));
    return result;
  };

  return {
    name: provider.name,
    paid: provider.paid,
    ask,
    state: () => state,
    [Symbol.asyncDispose]: () => provider[Symbol.asyncDispose](),
  };
}
