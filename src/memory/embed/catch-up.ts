import { CancelledError } from '../../errors.ts';
import type { Runtime } from '../../runtime.ts';
import type { Database } from '../../store/database.ts';
import { abortable } from './abortable.ts';
import { createBacklog } from './backlog.ts';
import { embedContents } from './embed-contents.ts';
import type { Embedder } from './embedder.ts';
import { EmbedderError } from './embedder-error.ts';
import { findSpace, keepVectors, type ContentVector, type StoredSpace } from './spaces.ts';

export interface CatchUpOptions {
  readonly signal: AbortSignal;
  readonly maxContents: number;
  /** After each batch, with the contents embedded by this call so far. */
  readonly onBatch: (embedded: number) => void;
}

export interface CatchUp {
  /** Dimensions that the embedder's vectors have, as far as is known. */
  readonly dimensions: number | undefined;
  /** The embedder has given a vector of these dimensions. Whether others were known before. */
  observe(dimensions: number): boolean;
  /** Why a text could not be embedded although others could; `null`: there is none. */
  readonly refusal: string | null;
  /** Resolves when no batch is under way. */
  idle(): Promise<void>;
  /** Embeds what lacks a vector; how many contents. Calls at the same time share the work. */
  run(db: Database, options: CatchUpOptions): Promise<number>;
}

/** Refusals in a row, without a success in between, that tell that not the texts are at fault. */
const REFUSALS_IN_A_ROW = 3;
/** Changes of the dimensions within one run: one is a change of the model, more are a server that cannot decide. */
const MOST_CHANGES = 1;

/** What one run has seen. */
interface Progress {
  embedded: number;
  changes: number;
  succeeded: boolean;
  refusals: { readonly hash: Uint8Array; readonly error: EmbedderError }[];
}

export function createCatchUp(runtime: Runtime, embedder: Embedder): CatchUp {
  const backlog = createBacklog(runtime);
  let dimensions = embedder.dimensions;
  /** Contents of one batch: halved by each failure, since a smaller one may fit the time allowed. */
  let batchSize = embedder.batchSize;
  let refusal: string | null = null;
  let turns: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = turns.then(work);
    turns = turn.catch(() => undefined);
    return turn;
  };
  const observe = (seen: number): boolean => {
    const changed = dimensions !== undefined && dimensions !== seen;
    dimensions = seen;
    return changed;
  };
  /** The embedder takes other texts: those that it refused are left out from now on. */
  const blameTexts = (progress: Progress): void => {
    for (const { hash, error } of progress.refusals) {
      backlog.refuse(hash);
      refusal = error.message;
    }
    progress.refusals = [];
  };
  const keep = async (db: Database, space: StoredSpace | undefined, progress: Progress, vectors: readonly ContentVector[]) => {
    const kept = await keepVectors(db, runtime, embedder, vectors);
    progress.embedded += vectors.length;
    progress.succeeded = true;
    blameTexts(progress);
    const changed = observe(kept.space.dimensions);
    if (!changed && (space === undefined || space.id === kept.space.id)) {
      if (kept.added < vectors.length) backlog.stray();
      return;
    }
    progress.changes += 1;
    backlog.restart();
    if (progress.changes <= MOST_CHANGES) return;
    throw new EmbedderError(`the embedding model ${embedder.model} gives vectors of changing dimensions`, {
      hint: 'Make sure that the embedding URL always reaches the same model.',
    });
  };
  /** One batch. Whether there was one. */
  const batch = async (db: Database, progress: Progress, most: number, signal: AbortSignal): Promise<boolean> => {
    if (signal.aborted) throw new CancelledError('embedding was cancelled');
    const space = await findSpace(db, embedder, dimensions);
    const contents = await backlog.take(db, space?.id ?? null, Math.min(batchSize, most));
    if (contents.length === 0) return false;
    try {
      await embedContents(
        {
          embedder,
          signal,
          keep: (vectors) => keep(db, space, progress, vectors),
          onRefused: ({ hash }, error) => {
            progress.refusals.push({ hash, error });
            if (progress.refusals.length >= REFUSALS_IN_A_ROW) throw error;
          },
        },
        contents,
      );
    } catch (error) {
      batchSize = Math.max(1, batchSize >> 1);
      throw error;
    }
    batchSize = Math.min(batchSize * 2, embedder.batchSize);
    backlog.settle();
    return true;
  };
  const run: CatchUp['run'] = async (db, { signal, maxContents, onBatch }) => {
    const progress: Progress = { embedded: 0, changes: 0, succeeded: false, refusals: [] };
    while (progress.embedded < maxContents) {
      const left = maxContents - progress.embedded;
      if (
        !(await abortable(
          inTurn(() => batch(db, progress, left, signal)),
          signal,
        ))
      )
        break;
      onBatch(progress.embedded);
    }
    const [refused] = progress.refusals;
    if (refused !== undefined && !progress.succeeded) {
      backlog.restart(); // nothing tells that the texts were at fault: they are tried again
      throw refused.error;
    }
    blameTexts(progress);
    return progress.embedded;
  };
  return {
    get dimensions() {
      return dimensions;
    },
    get refusal() {
      return refusal;
    },
    idle: () => turns.then(() => undefined),
    observe,
    run,
  };
}
