import { CancelledError, ForbiddenError, toSkillflowError } from '../../errors.ts';
import type { Runtime } from '../../runtime.ts';
import type { Database } from '../../store/database.ts';
import { createBackgroundWork } from './background-work.ts';
import { createCatchUp, type CatchUp } from './catch-up.ts';
import { createCoverageReader, type Coverage } from './coverage.ts';
import type { Embedder } from './embedder.ts';
import { EmbedderError } from './embedder-error.ts';
import type { Embeddings, QueryVector } from './embeddings.ts';
import { linkedSignal } from './linked-signal.ts';
import { createQueryVectors, type QueryVectors } from './query-vectors.ts';
import { findSpace } from './spaces.ts';

export interface EmbeddingsDeps {
  /** Opens the project's database. */
  readonly open: () => Promise<Database>;
  readonly runtime: Runtime;
  /** `null`: embeddings are off. Disposed with the embeddings. */
  readonly embedder: Embedder | null;
}

/** What the parts of one {@link Embeddings} share. */
interface Parts {
  readonly open: () => Promise<Database>;
  readonly runtime: Runtime;
  readonly embedder: Embedder;
  readonly work: CatchUp;
  readonly queries: QueryVectors;
  /** Aborts when the embeddings are disposed. */
  readonly stop: AbortSignal;
  /** Why contents, and why a query, could not be embedded the last time; `null`: they could. */
  readonly problems: { work: string | null; query: string | null };
}

function withoutEmbedder(): Embeddings {
  const status = { provider: null, model: null, dimensions: null, semantic: false, embedded: 0, pending: 0, problem: null };
  return {
    enabled: false,
    status: async () => status,
    embedQuery: async () => ({ ok: false, reason: 'embeddings are off' }),
    catchUp: async () => ({ embedded: 0, pending: 0 }),
    wake: () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function noteFailure({ runtime, queries, problems }: Parts, error: unknown): void {
  const { message } = toSkillflowError(error);
  if (message !== problems.work) runtime.log('warn', `embeddings: ${message}`);
  problems.work = message;
  if (error instanceof EmbedderError && error.fault === 'embedder') queries.rest(message);
}

/** Embeds up to `most` contents, and notes how that went. */
async function embedSome(
  parts: Parts,
  db: Database,
  most: number,
  signal: AbortSignal,
  onBatch: (embedded: number) => void,
): Promise<number> {
  const { work, queries, stop, problems } = parts;
  const over = linkedSignal([signal, stop]);
  try {
    const embedded = await work.run(db, {
      maxContents: most,
      signal: over.signal,
      onBatch: (done) => {
        problems.work = null;
        problems.query = null;
        queries.resume();
        onBatch(done);
      },
    });
    problems.work = null;
    return embedded;
  } catch (error) {
    if (!(error instanceof CancelledError)) noteFailure(parts, error);
    throw error;
  } finally {
    over.release();
  }
}

async function embedInBackground(parts: Parts, signal: AbortSignal): Promise<void> {
  const db = await parts.open().catch((error: unknown) => {
    noteFailure(parts, error);
    throw error;
  });
  if (!db.readOnly) await embedSome(parts, db, Infinity, signal, () => undefined);
}

async function lookUp(parts: Parts, text: string, signal: AbortSignal, wake: () => void): Promise<QueryVector> {
  const { open, embedder, work, queries, problems } = parts;
  const refuse = (reason: string): QueryVector => ({ ok: false, reason });
  const db = await open();
  if ((await findSpace(db, embedder, undefined)) === undefined) {
    return refuse(problems.work ?? `nothing is embedded by ${embedder.provider} ${embedder.model} yet`);
  }
  const answer = await queries.vectorOf(text, signal);
  if (!answer.ok) {
    if (answer.failure) problems.query = answer.reason;
    return refuse(answer.reason);
  }
  problems.query = null;
  const { vector } = answer;
  if (work.observe(vector.length)) wake(); // another model answers by the same name: it gets a space of its own
  const space = await findSpace(db, embedder, vector.length);
  if (space === undefined) return refuse(`nothing is embedded with ${vector.length} dimensions yet`);
  const { id: spaceId, provider, model, dimensions } = space;
  return { ok: true, spaceId, space: { provider, model, dimensions }, semantic: embedder.semantic, vector };
}

function withEmbedder(open: () => Promise<Database>, runtime: Runtime, embedder: Embedder): Embeddings {
  const stopping = new AbortController();
  const stop = stopping.signal;
  const work = createCatchUp(runtime, embedder);
  const queries = createQueryVectors(runtime, embedder, stop);
  const parts: Parts = { open, runtime, embedder, work, queries, stop, problems: { work: null, query: null } };
  const reader = createCoverageReader(runtime);
  const background = createBackgroundWork(runtime, (signal) => embedInBackground(parts, signal));

  const coverage = async (db: Database, exact: boolean): Promise<Coverage> => {
    const space = await findSpace(db, embedder, work.dimensions);
    return reader.read(db, space?.id ?? null, exact);
  };
  const status: Embeddings['status'] = async () => {
    const db = await open();
    const { total, embedded } = await coverage(db, false);
    const { provider, model, semantic } = embedder;
    const dimensions = work.dimensions ?? (await findSpace(db, embedder, undefined))?.dimensions ?? null;
    const problem = parts.problems.work ?? parts.problems.query ?? work.refusal;
    return { provider, model, dimensions, semantic, embedded, pending: total - embedded, problem };
  };
  const catchUp: Embeddings['catchUp'] = async ({ maxContents = Infinity, signal, onProgress }) => {
    const db = await open();
    if (db.readOnly) {
      throw new ForbiddenError('no vector can be kept: the database is open read-only', { hint: 'Open it writable.' });
    }
    const before = onProgress === undefined ? undefined : await coverage(db, true);
    const embedded = await embedSome(parts, db, maxContents, signal, (done) => {
      if (before !== undefined) onProgress?.(Math.min(before.embedded + done, before.total), before.total);
    });
    const { total, embedded: covered } = await coverage(db, true);
    return { embedded, pending: total - covered };
  };
  const dispose = async (): Promise<void> => {
    stopping.abort(new CancelledError('the embeddings are disposed'));
    await background[Symbol.asyncDispose]();
    await work.idle();
    await embedder[Symbol.asyncDispose]();
  };
  let disposed: Promise<void> | undefined;
  return {
    enabled: true,
    status,
    embedQuery: (text, signal) =>
      lookUp(parts, text, signal, background.wake).catch((error: unknown) => ({
        ok: false,
        reason: toSkillflowError(error).message,
      })),
    catchUp,
    wake: background.wake,
    [Symbol.asyncDispose]: () => (disposed ??= dispose()),
  };
}

/** Keeps the contents of the memory that `open` opens embedded by `embedder`. */
export function createEmbeddings({ open, runtime, embedder }: EmbeddingsDeps): Embeddings {
  return embedder === null ? withoutEmbedder() : withEmbedder(open, runtime, embedder);
}
