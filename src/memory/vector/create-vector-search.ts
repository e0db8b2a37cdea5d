import { CancelledError } from '../../errors.ts';
import type { Runtime } from '../../runtime.ts';
import type { Database } from '../../store/database.ts';
import type { Embeddings, QueryVector } from '../embed/embeddings.ts';
import { createCurrentIndex } from './current-index.ts';
import { countVectors, findSpace } from './embedding-rows.ts';
import { loadHnswlib, type HnswModule } from './hnsw-graph.ts';
import { createIndexHost, type IndexHost } from './index-host.ts';
import { createKeepAlive } from './keep-alive.ts';
import { nearestByIndex, nearestOfAll, type Wanted } from './nearest-entries.ts';
import { VECTOR_SIZES, type VectorSizes } from './sizes.ts';
import { createThreadHost } from './thread-host.ts';
import type { VectorHit, VectorSearch, VectorStatus } from './vector-search.ts';

export interface VectorSearchDeps {
  /** Opens the project's database. */
  readonly open: () => Promise<Database>;
  readonly runtime: Runtime;
  readonly embeddings: Embeddings;
  /** Where snapshots lie; made when the first is saved. */
  readonly folder: string;
  /** The built `worker.ts`; `null`: the index runs in this thread. */
  readonly workerUrl: URL | null;
  /** How hnswlib is loaded in this thread. */
  readonly loadHnsw?: () => Promise<HnswModule>;
  readonly sizes?: Partial<VectorSizes>;
}

export interface SettlingVectorSearch extends VectorSearch {
  /** Resolves when nothing is left to do in the background. */
  settled(): Promise<void>;
}

/** Milliseconds for which the counts in a note may be old: counting takes longer than searching. */
const COUNTS_FRESH_MS = 1_000;

/** `3,012`. The first `toLocaleString` of a process takes as long as thirty searches. */
function inThousands(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}

/** Searches a project's vectors; see {@link VectorSearch}. */
export function createVectorSearch(deps: VectorSearchDeps): SettlingVectorSearch {
  const { open, runtime, embeddings, folder, workerUrl, loadHnsw = loadHnswlib } = deps;
  const sizes = { ...VECTOR_SIZES, ...deps.sizes };
  const keepAlive = createKeepAlive();
  const createHost = (): IndexHost => (workerUrl === null ? createIndexHost(loadHnsw) : createThreadHost(workerUrl, keepAlive));
  const indexes = createCurrentIndex({ runtime, folder, sizes, createHost });
  let counts: { readonly text: string; readonly at: number } | undefined;

  const noteOf = async ({ space }: Extract<QueryVector, { ok: true }>): Promise<string> => {
    if (counts === undefined || runtime.ticks() - counts.at > COUNTS_FRESH_MS) {
      const { embedded, pending } = await embeddings.status();
      const [done, all] = [embedded, embedded + pending].map(inThousands);
      counts = { text: `${done} of ${all} embedded`, at: runtime.ticks() };
    }
    return `${space.provider} ${space.model}: ${counts.text}`;
  };
  const find = async (
    query: Extract<QueryVector, { ok: true }>,
    wanted: Wanted,
  ): Promise<{ readonly hits: readonly VectorHit[]; readonly note: string }> => {
    const db = await open();
    const note = await noteOf(query);
    const found = await indexes.use(db, query.spaceId, (index) => nearestByIndex(db, index, wanted, sizes));
    if (found.ok) return { hits: found.value, note };
    const hits = await nearestOfAll(db, { id: query.spaceId, dimensions: query.vector.length }, wanted);
    return { hits, note: `${note}; compared one by one, without the index: ${found.reason}` };
  };
  const status = async (): Promise<VectorStatus> => {
    if (!embeddings.enabled) return { tier: 'off', vectors: 0, indexed: 0, note: null };
    const { provider, model, dimensions } = await embeddings.status();
    const db = await open();
    const known = provider !== null && model !== null && dimensions !== null;
    const spaceId = known ? await findSpace(db, provider, model, dimensions) : undefined;
    if (spaceId === undefined) return { tier: 'exact', vectors: 0, indexed: 0, note: null };
    const vectors = await countVectors(db, spaceId);
    const found = await indexes.use(db, spaceId, async ({ tier, indexed, problems }) => ({ tier, indexed, problems }));
    if (!found.ok) return { tier: 'exact', vectors, indexed: 0, note: `there is no index: ${found.reason}` };
    const { tier, indexed, problems } = found.value;
    const loss = indexes.lastLoss === null ? [] : [`the index was lost and made again: ${indexes.lastLoss}`];
    const notes = [...problems, ...loss].join('; ');
    return { tier, vectors, indexed: Math.min(indexed, vectors), note: notes === '' ? null : notes };
  };
  return {
    nearest: async (text, count, scope, signal) => {
      if (!embeddings.enabled) return { hits: [], note: 'off', semantic: false };
      const query = await embeddings.embedQuery(text, signal);
      if (signal.aborted) throw new CancelledError('cancelled');
      if (!query.ok) return { hits: [], note: `unavailable: ${query.reason}`, semantic: false };
      // A copy: a view would take all of its buffer along to the worker.
      const wanted = { vector: query.vector.slice(), count, scope, signal };
      const found = await keepAlive.during(() => find(query, wanted));
      return { ...found, semantic: query.semantic };
    },
    status: () => keepAlive.during(status),
    settled: () => keepAlive.during(async () => indexes.settled(await open())),
    [Symbol.asyncDispose]: () => indexes.close(),
  };
}
