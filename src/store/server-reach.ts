import type { Runtime } from '../runtime.ts';

/** Milliseconds after a request without an answer in which no other is sent: what one call still wants fails at once. */
const REST_MS = 1_000;

/** What this process has seen of a server; the databases that it opens there share it. */
export interface ServerReach {
  /** Whether the last request was answered; `false` before the first. */
  readonly answers: boolean;
  /** Whether a request went without an answer a moment ago. */
  readonly rests: boolean;
  /** Takes note of a request's end. */
  note(answered: boolean): void;
}

export function createServerReach(runtime: Runtime): ServerReach {
  let answers = false;
  let silentTicks = -Infinity;
  return {
    get answers() {
      return answers;
    },
    get rests() {
      return runtime.ticks() - silentTicks < REST_MS;
    },
    note: (answered) => {
      answers = answered;
      silentTicks = answered ? -Infinity : runtime.ticks();
    },
  };
}
