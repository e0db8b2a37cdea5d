import { printableProse } from '../printable.ts';

export interface AskPersonDeps {
  /** Writes to the terminal. */
  readonly write: (text: string) => void;
  /** Reads a line from the terminal; `null` when its input has ended or the signal aborts. */
  readonly readLine: (signal: AbortSignal) => Promise<string | null>;
  /** Drops what was typed so far: it answers no question that nobody had seen. */
  readonly dropTyped: () => Promise<void>;
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal;
  /** Aborts when no answer is needed any more: it was given elsewhere, or what asked has ended. */
  readonly withdrawn: AbortSignal;
}

/** Milliseconds after which nobody seems to be there. */
const PATIENCE_MS = 5 * 60_000;

/**
 * Asks the person at the terminal, `[y/N]`: yes or no, `null` without an answer within five minutes, at the end of the
 * input, or once the question is withdrawn. An interrupt is a no: what was to go on is cancelled.
 */
export async function askPerson(
  question: string,
  { write, readLine, dropTyped, signal, withdrawn }: AskPersonDeps,
): Promise<boolean | null> {
  const patience = AbortSignal.any([signal, withdrawn, AbortSignal.timeout(PATIENCE_MS)]);
  await dropTyped();
  if (signal.aborted) return false;
  if (withdrawn.aborted) return null;
  for (;;) {
    write(`${printableProse(question)} [y/N] `);
    const line = await readLine(patience);
    if (signal.aborted) return false;
    if (withdrawn.aborted) {
      write('\nNo answer is needed any more.\n');
      return null;
    }
    if (line === null) {
      write('\n');
      return null;
    }
    const answer = line.trim().toLowerCase();
    if (answer === 'y' || answer === 'yes') return true;
    if (answer === '' || answer === 'n' || answer === 'no') return false;
    write('Answer y or n.\n');
  }
}
