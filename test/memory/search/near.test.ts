import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEmbeddings } from '../../../src/memory/embed/create-embeddings.ts';
import { createLexicalEmbedder } from '../../../src/memory/embed/lexical-embedder.ts';
import type { Embeddings } from '../../../src/memory/embed/embeddings.ts';
import { createMemory, type Memory } from '../../../src/memory/memory.ts';
import type { SearchAnswer, SearchInput } from '../../../src/memory/search/answer.ts';
import { createSearch } from '../../../src/memory/search/search.ts';
import type { SettlingVectorSearch } from '../../../src/memory/vector/create-vector-search.ts';
import { openTestDatabase } from '../../helpers/databases.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';
import { noHnsw, SMALL, vectorSearch } from '../vector/space.ts';

const ALL = 520;
const FEW = 130;
/** Like no word of any entry. */
const QUERY = 'xylophone';

const scratch = useScratch();
let memory: Memory;
let embeddings: Embeddings;
let vectors: SettlingVectorSearch;

beforeEach(async () => {
  const runtime = testRuntime();
  const root = await scratch.folder();
  const db = await openTestDatabase(join(root, 'skillflow.db'), { runtime });
  scratch.onCleanUp(() => db.close());
  const open = async () => db;
  embeddings = createEmbeddings({ open, runtime, embedder: createLexicalEmbedder() });
  vectors = vectorSearch(db, { embeddings, folder: join(root, 'vectors'), loadHnsw: noHnsw, sizes: { ...SMALL, exact: 300 } });
  const { search } = createSearch({ open, runtime, vectors: { semantic: false, search: async () => vectors } });
  memory = createMemory({ open, runtime, search });
  await memory.storeMany(
    Array.from({ length: ALL }, (_, at) => ({ key: `${at < FEW ? 'few' : 'many'}/${at}`, value: `apricot number ${at % 400}` })),
  );
  await embeddings.catchUp({ signal: new AbortController().signal });
});

afterEach(async () => {
  await vectors[Symbol.asyncDispose]();
  await embeddings[Symbol.asyncDispose]();
});

async function pages(input: Partial<SearchInput>, next: (answer: SearchAnswer, given: number) => Partial<SearchInput>) {
  const keys: string[] = [];
  const totals: (readonly [number, boolean])[] = [];
  let rest: Partial<SearchInput> | undefined = {};
  while (rest !== undefined) {
    const answer = await memory.search({ query: QUERY, limit: 60, ...input, ...rest });
    expect(answer.matchedBy).toBe('vectors');
    expect(answer.total).toBeGreaterThanOrEqual(keys.length + answer.results.length);
    keys.push(...answer.results.map(({ key }) => key));
    totals.push([answer.total, answer.totalIsExact]);
    rest = answer.cursor === null ? undefined : next(answer, keys.length);
  }
  return { keys, totals };
}

const byOffset = (_answer: SearchAnswer, offset: number): Partial<SearchInput> => ({ offset });
const byCursor = ({ cursor }: SearchAnswer): Partial<SearchInput> => ({ cursor: cursor ?? undefined });

test.each([
  ['offset', byOffset],
  ['cursor', byCursor],
])('what only vectors find is reached to the last one by %s, and the total does not claim less', async (_name, next) => {
  const few = await pages({ keys: 'few/*' }, next);
  expect(new Set(few.keys).size).toBe(FEW);
  expect(few.keys).toHaveLength(FEW);
  expect(few.totals[0]).toEqual([100, false]);
  expect(few.totals.at(-1)).toEqual([FEW, true]);
});

test('cursors reach all that an index has, though all are equally far', async () => {
  const { keys, totals } = await pages({}, byCursor);
  expect(new Set(keys).size).toBe(ALL);
  expect(keys).toHaveLength(ALL);
  expect(totals.at(-1)).toEqual([ALL, true]);
});

test('what is stored amid a walk by cursors neither repeats nor hides what was there', async () => {
  const { keys } = await pages({ keys: 'few/*' }, byCursor);
  const first = await memory.search({ query: QUERY, keys: 'few/*', limit: 60 });
  await memory.storeMany(Array.from({ length: 90 }, (_, at) => ({ key: `few/new${at}`, value: `lophon ${at}` })));
  await embeddings.catchUp({ signal: new AbortController().signal });
  const walked = first.results.map(({ key }) => key);
  for (let { cursor } = first; cursor !== null;) {
    const answer: SearchAnswer = await memory.search({ query: QUERY, keys: 'few/*', limit: 60, cursor });
    walked.push(...answer.results.map(({ key }) => key));
    ({ cursor } = answer);
  }
  expect(walked.toSorted()).toEqual(keys.toSorted());
});

test('a least score that ends them makes the total exact', async () => {
  await memory.store({ key: 'near', value: 'xylophones' });
  await embeddings.catchUp({ signal: new AbortController().signal });
  const { results, total, totalIsExact } = await memory.search({ query: 'xylophoned', minScore: 0.5 });
  expect(results.map(({ key }) => key)).toEqual(['near']);
  expect([total, totalIsExact]).toEqual([1, true]);
});
