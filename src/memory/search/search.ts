import type { Runtime } from '../../runtime.ts';
import type { Database } from '../../store/database.ts';
import { checkRange } from '../limits.ts';
import type { VectorAnswer, VectorSearch } from '../vector/vector-search.ts';
import type { SearchAnswer, SearchInput } from './answer.ts';
import { withinTokens } from './budget.ts';
import { countMatches, findCandidates, type WeighedTerm } from './candidates.ts';
import { createChanges, type Changes } from './changes.ts';
import { checkScore, fromCursor, MAX_OFFSET, toCursor } from './cursor.ts';
import { toScope, type SearchScope } from './filter.ts';
import { fuse, wordsOnly, type Fused } from './fusion.ts';
import { followLinks } from './links.ts';
import { readPage, toLine } from './page.ts';
import { createPassages } from './passages.ts';
import { withPhrase } from './phrase.ts';
import { parseQuestion, type Question } from './question.ts';
import { HEAD, rank, type Inquiry, type Knowledge } from './ranking.ts';
import { createSequences } from './sequences.ts';
import { similarTerms } from './similar.ts';
import { idf, readStatistics, type Statistics } from './statistics.ts';
import { findSubstring } from './substring.ts';
import { createWordCounts } from './word-counts.ts';

/** Vectors to search besides words. */
export interface SearchedVectors {
  /** Whether near vectors mean near meanings. Those that do not are only asked when no word was found. */
  readonly semantic: boolean;
  readonly search: () => Promise<VectorSearch>;
}

export interface SearchDeps {
  /** Opens the project's database, once a call has been found valid. */
  readonly open: () => Promise<Database>;
  readonly runtime: Pick<Runtime, 'now'>;
  /** Default: by words alone. */
  readonly vectors?: SearchedVectors | undefined;
}

export interface Search {
  /** Errors: `InvalidInputError` naming the parameter, before the database is opened; those of {@link Database}. */
  search(input: SearchInput): Promise<SearchAnswer>;
}

/** Matches are counted so far. */
const MAX_TOTAL = 1_000;
const MAX_TOKENS = 1_000_000;
/** Entries that vectors are asked for. */
const NEAREST = 100;

interface Page {
  readonly input: SearchInput;
  readonly question: Question;
  readonly limit: number;
  readonly offset: number;
}

function checkPage(input: SearchInput): Page {
  const { query, phrase, limit = 10, offset = 0, cursor, minScore, maxTokens } = input;
  const question = parseQuestion(query, phrase);
  checkRange('limit', limit, 1, 100);
  checkRange('offset', offset, 0, MAX_OFFSET);
  if (minScore !== undefined) checkScore(minScore);
  if (maxTokens !== undefined) checkRange('maxTokens', maxTokens, 1, MAX_TOKENS);
  return { input, question, limit, offset: cursor === undefined ? offset : fromCursor(input, cursor) };
}

async function weigh(
  db: Database,
  question: Question,
  statistics: Statistics,
  knowledge: Knowledge,
): Promise<readonly WeighedTerm[]> {
  const expressions = question.terms.map((term) => term.expression);
  const counts = await knowledge.counts.of(db, statistics, expressions);
  return question.terms.map((term, index) => {
    const frequency = counts[index] ?? 0;
    return { ...term, frequency, idf: idf(frequency, statistics) };
  });
}

async function nearest(text: string, vectors: SearchedVectors, scope: SearchScope): Promise<VectorAnswer> {
  const search = await vectors.search();
  return search.nearest(text, NEAREST, scope, new AbortController().signal);
}

const OFF: VectorAnswer = { hits: [], note: 'off', semantic: false };

/** What vectors add to what words found. */
async function askVectors(
  page: Page,
  scope: SearchScope,
  found: boolean,
  vectors: SearchedVectors | undefined,
): Promise<VectorAnswer> {
  if (vectors === undefined) return OFF;
  if (!vectors.semantic && found) return { ...OFF, note: 'not needed: words were found' };
  return nearest(page.question.text === '' ? (page.input.phrase ?? '') : page.question.text, vectors, scope);
}

/** Goes on after the results that were ranked closely, by the weight of the words that entries have. */
async function withTail(inquiry: Inquiry, head: readonly Fused[], upTo: number): Promise<readonly Fused[]> {
  if (head.length > upTo || inquiry.terms.length === 0) return head;
  const known = new Set(head.map((one) => one.passage.id));
  const { best } = await findCandidates(inquiry, inquiry.terms, upTo + HEAD + 1);
  const rest = best.filter(({ id }) => !known.has(id)).slice(0, upTo + 1 - head.length);
  const passages = await inquiry.reader.load(
    inquiry.queries,
    rest.map(({ id }) => id),
  );
  const heaviest = rest[0]?.weight ?? 1;
  const last = head.at(-1)?.score ?? 1;
  const tail = rest.flatMap(({ id, weight }): Fused[] => {
    const passage = passages.get(id);
    return passage === undefined ? [] : [{ passage, score: (last * weight) / heaviest, words: null, similarity: null }];
  });
  return [...head, ...tail];
}

/** Cuts the page out of all that was found, and bounds it. */
function toAnswer(
  page: Page,
  found: { readonly results: Awaited<ReturnType<typeof readPage>>; readonly more: boolean; readonly total: number },
  rest: Pick<SearchAnswer, 'matchedBy' | 'vectors'>,
): SearchAnswer {
  const { results, shortened } = withinTokens(found.results, page.input.maxTokens);
  const next = page.offset + results.length;
  const more = (found.more || results.length < found.results.length) && results.length > 0 && next <= MAX_OFFSET;
  return {
    results,
    total: Math.min(found.total, MAX_TOTAL),
    totalIsExact: found.total <= MAX_TOTAL,
    cursor: more ? toCursor(page.input, next) : null,
    shortened,
    ...rest,
  };
}

async function bySubstring(db: Database, page: Page, scope: SearchScope, vectors: string): Promise<SearchAnswer> {
  const { question, limit, offset, input } = page;
  // A substring has no score, so none reaches a higher one.
  const wanted =
    (input.minScore ?? 0) > 0
      ? undefined
      : await findSubstring(db, question.text, scope, { limit, offset, countUpTo: MAX_TOTAL + 1 });
  const found = wanted?.entries ?? [];
  const lines = found.slice(0, limit).map((one) => ({ ...one, score: 0, matched: ['the text as it is'] }));
  const results = await readPage(db, lines, { text: question.text }, scope);
  return toAnswer(page, { results, more: found.length > limit, total: wanted?.total ?? 0 }, { matchedBy: 'substring', vectors });
}

async function byWords(
  page: Page,
  inquiry: Inquiry,
  db: Database,
  deps: SearchDeps,
  knowledge: Knowledge,
): Promise<SearchAnswer> {
  const { limit, offset, input } = page;
  const { scope, reader, terms } = inquiry;
  const { candidates, ranked, full } = await rank(inquiry, knowledge);
  const linked = inquiry.statistics.linked ? await followLinks(db, ranked, reader, scope) : ranked;
  const vectors = await askVectors(page, scope, linked.length > 0, deps.vectors);
  const fused = await fuse(db, wordsOnly(linked, full), vectors, reader, scope);
  const all = await withTail(inquiry, fused, offset + limit);
  const good = all.filter((one) => one.score >= (input.minScore ?? 0));
  const context = { inquiry, full, semantic: vectors.semantic, explain: input.explain === true };
  const lines = good.slice(offset, offset + limit).map((one) => toLine(one, context));
  const weights = new Map(terms.map((term) => [reader.vocabulary.ofStem(term.stem, term.word), term.idf]));
  const results = await readPage(db, lines, { vocabulary: reader.vocabulary, weights }, scope);
  const total = Math.max(
    await countMatches(inquiry, terms, candidates, MAX_TOTAL + 1),
    input.minScore === undefined ? fused.length : 0,
  );
  return toAnswer(page, { results, more: good.length > offset + limit, total }, { matchedBy: 'words', vectors: vectors.note });
}

/** Forgets what was kept of entries that changed since the last search. */
async function forgetChanged(db: Database, { revision }: Statistics, changes: Changes, knowledge: Knowledge): Promise<void> {
  const changed = await changes.since(db, revision);
  if (changed === null || changed.length > 0) knowledge.passages.forget(changed);
  if (changed !== null) return;
  knowledge.counts.clear();
  knowledge.sequences.clear();
}

/** The search of a project's memory. It keeps what it has read, within bounds: one for all calls of a process is the quickest. */
export function createSearch(deps: SearchDeps): Search {
  const knowledge: Knowledge = { counts: createWordCounts(), passages: createPassages(), sequences: createSequences() };
  const changes = createChanges();
  return {
    search: async (input) => {
      const page = checkPage(input);
      const filter = toScope(input, deps.runtime.now());
      const db = await deps.open();
      const scope = input.phrase === undefined ? filter : await withPhrase(db, input.phrase, filter);
      const { question } = page;
      if (question.terms.length === 0) return bySubstring(db, page, scope, OFF.note);
      const statistics = await readStatistics(db);
      await forgetChanged(db, statistics, changes, knowledge);
      const reader = knowledge.passages.reader(statistics.entries);
      const asked = await weigh(db, question, statistics, knowledge);
      const lookup = { queries: db, scope, statistics, counts: knowledge.counts, membership: reader.membership };
      const similar = await similarTerms(asked, { ...lookup, reader });
      const inquiry: Inquiry = { ...lookup, question, terms: [...asked, ...similar], asked: asked.length, reader };
      const answer = await byWords(page, inquiry, db, deps, knowledge);
      if (answer.total > 0 || !question.foreign) return answer;
      const substring = await bySubstring(db, page, scope, answer.vectors);
      return substring.total > 0 ? substring : answer;
    },
  };
}
