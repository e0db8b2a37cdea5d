import {
  BusyError,
  CancelledError,
  InvalidInputError,
  OutcomeUnknownError,
  SkillflowError,
  StorageError,
  UnavailableError,
} from '../../errors.ts';
import type { Runtime } from '../../runtime.ts';
import type { Database } from '../../store/database.ts';
import { mergeBatch, type MergeOptions } from './absorb.ts';
import { entryBatches, linkBatches, type Batch, type Wanted } from './batches.ts';
import type { AbsorbReport, Watch } from './care.ts';
import type { Source } from './incoming.ts';
import { addTally, handled, newTally, type Tally } from './tally.ts';
import { stopWhenCancelled, tell } from './watch.ts';

/** Milliseconds that a transaction takes batches; it ends with the one that is under way then. */
const SLICE_MS = 200;
/**
 * Milliseconds between two transactions. Who waits for the lock looks after it every 50 ms at most for 250 ms, then once
 * more after at most 150 ms: a shorter pause can be missed many times.
 */
const PAUSE_MS = 60;
/** Read before a transaction begins: batches, and characters of their values. */
const AHEAD = 64;
const AHEAD_CHARACTERS = 16 * 1024 * 1024;

export interface SliceOptions extends Wanted {
  readonly runtime: Runtime;
  readonly watch: Watch;
  /** `the import`, for messages. */
  readonly what: string;
  /** Throws when what was read from the source so far cannot be trusted; asked before it is stored. */
  readonly check?: () => void;
  /** Where on the way of the whole call, 0–1, this part begins. */
  readonly progressFrom?: number;
}

/** Errors after which the rest can be brought in by the same call again. */
const PASSING = [BusyError, CancelledError, StorageError, UnavailableError, OutcomeUnknownError, InvalidInputError] as const;

/** The error of a call that stopped half-way; it says what was brought in before. */
function stopped(error: unknown, total: AbsorbReport, { what }: SliceOptions, size: number): unknown {
  const done = handled(total);
  const Kind = PASSING.find((kind) => error instanceof kind);
  if (done === 0 || Kind === undefined || !(error instanceof SkillflowError)) return error;
  const { added, updated, kept, unchanged } = total;
  return new Kind(
    `${error.message}; ${what} had dealt with ${done} of ${size} entries by then: ${added} added, ${updated} updated, ${kept} kept as ours, ${unchanged} unchanged`,
    {
      cause: error,
      hint: `What was brought in is whole and stays. The same call again skips it and goes on.${Kind === CancelledError ? '' : ` ${error.hint ?? ''}`}`.trimEnd(),
      details: { ...error.details, applied: total },
    },
  );
}

/** Fills `ahead` from what is left of the source, without holding the lock. */
function readAhead(left: Iterator<Batch>, ahead: Batch[]): void {
  let characters = ahead.reduce((sum, batch) => sum + batch.characters, 0);
  while (ahead.length < AHEAD && characters < AHEAD_CHARACTERS) {
    const { value, done } = left.next();
    if (done === true) return;
    ahead.push(value);
    characters += value.characters;
  }
}

function* batchesOf(source: Source, options: Wanted, total: Tally): Generator<Batch> {
  yield* entryBatches(source, options, total);
  yield* linkBatches(source, options);
}

/** One transaction over as many batches as fit into its time, from the first on. */
async function applySlice(
  db: Database,
  ahead: readonly Batch[],
  { runtime, check, ...options }: SliceOptions & MergeOptions,
): Promise<{ readonly tally: Tally; readonly applied: number }> {
  return db.write(async (queries) => {
    check?.();
    const until = runtime.ticks() + SLICE_MS;
    const tally = newTally(); // made here, since a server's transaction may run again from its start
    let applied = 0;
    for (const batch of ahead) {
      await mergeBatch(queries, batch, options, tally);
      applied += 1;
      if (runtime.ticks() >= until) break;
    }
    return { tally, applied };
  });
}

/**
 * Brings the entries of a source into the memory, see `mergeBatch`, in many short transactions with pauses between them,
 * so that others can write meanwhile. Each entry is brought in with its history or not at all, links come last. A call
 * that is killed or fails half-way leaves what it has brought in; the same call again finds that unchanged and ends as
 * one that nothing had interrupted. A journal of what is under way would only tell what the entries tell themselves.
 * What fits into one transaction (some thousand entries) is brought in whole or not at all.
 * Errors: `CancelledError` between two transactions, those of the source and of the database; each says how much was
 * brought in, in its message and, as an `AbsorbReport`, in `details.applied`.
 */
export async function absorbInSlices(db: Database, source: Source, options: SliceOptions): Promise<AbsorbReport> {
  const { runtime, watch, what, progressFrom = 0 } = options;
  const total = newTally();
  const left = batchesOf(source, options, total);
  const ahead: Batch[] = [];
  const holding = new Set<string>();
  let freeSince = -Infinity;
  try {
    for (;;) {
      readAhead(left, ahead);
      if (ahead.length === 0) return total;
      await runtime.sleep(Math.max(0, freeSince + PAUSE_MS - runtime.ticks()));
      stopWhenCancelled(watch, what);
      const { tally, applied } = await applySlice(db, ahead, { ...options, holding });
      freeSince = runtime.ticks();
      ahead.splice(0, applied);
      addTally(total, tally);
      tell(watch, handled(total), source.size, [progressFrom, 1]);
    }
  } catch (error) {
    throw stopped(error, total, options, source.size);
  }
}
