import { InvalidInputError } from '../../errors.ts';
import type { Runtime } from '../../runtime.ts';
import type { Database } from '../../store/database.ts';
import { checkRange } from '../limits.ts';
import type { SearchAnswer, SearchInput } from './answer.ts';
import { withinTokens } from './budget.ts';
import type { WeighedTerm } from './candidates.ts';
import { createChanges, type Changes } from './changes.ts';
import { checkScore, fromCursor, MAX_OFFSET, toCursor, type Place } from './cursor.ts';
import { toScope, type SearchScope } from './filter.ts';
import { fuse, wordsOnly } from './fusion.ts';
import { countResults, toHead } from './head.ts';
import { followLinks } from './links.ts';
import { followNames } from './names.ts';
import { askVectors, OFF, type SearchedVectors } from './near.ts';
import { readPage, toLine, type Line } from './page.ts';
import { turnPage } from './paging.ts';
import { createPassages } from './passages.ts';
import { createPending } from './pending.ts';
import { isWithinRuns, withPhrase } from './phrase.ts';
import { parseQuestion, type Question } from './question.ts';
import { rank, type Inquiry, type Knowledge } from './ranking.ts';
import { createSequences } from './sequences.ts';
import { similarTerms } from './similar.ts';
import { idf, type Statistics } from './statistics.ts';
import { findSubstring } from './substring.ts';
import { createWordCounts } from './word-counts.ts';

export interface SearchDeps {
  /** Opens the project's database, once a call has been found valid. */
  readonly open: () => Promise<Database>;
  readonly runtime: Pick<Runtime, 'now' | 'sleep'>;
  /** Default: by words alone. */
  readonly vectors?: SearchedVectors | undefined;
}

export interface Search {
  /** Errors: `InvalidInputError` naming the parameter, before the database is opened; those of {@link Database}. */
  search(input: SearchInput): Promise<SearchAnswer>;
}

/** Matches are counted so far. */
const MAX_TOTAL = 1_000;
/** Below it no result fits, whatever it says. */
const MIN_TOKENS = 100;
const MAX_TOKENS = 1_000_000;
/**
 * Characters of an answer besides its results, its values and the question: the names of its members. Those of claude-flow
 * 2.7, in which MCP clients read it, take about 100 more.
 */
const FRAME = 200;

interface Page {
  readonly input: SearchInput;
  readonly question: Question;
  readonly limit: number;
  readonly offset: number;
  /** Where the answer before ended; `null`: there was none. */
  readonly place: Place | null;
  /** What could not be searched, and why. */
  readonly unsearched: string | null;
}

function checkPage(input: SearchInput): Page {
  const { query, phrase, limit = 10, offset = 0, cursor, minScore, maxTokens } = input;
  const question = parseQuestion(query, phrase);
  checkRange('limit', limit, 1, 100);
  checkRange('offset', offset, 0, MAX_OFFSET);
  if (minScore !== undefined) checkScore(minScore);
  if (maxTokens !== undefined) checkRange('maxTokens', maxTokens, MIN_TOKENS, MAX_TOKENS);
  if (cursor !== undefined && offset > 0) {
    throw new InvalidInputError(`offset is ${offset} beside a cursor, which says itself where to go on`, {
      hint: 'Pass one of them.',
      details: { parameter: 'offset' },
    });
  }
  const place = cursor === undefined ? null : fromCursor(input, cursor);
  return { input, question, limit, offset, place, unsearched: null };
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

/** What there is on a page before it is bounded. */
interface FoundPage {
  /** As they were found, in order. */
  readonly lines: readonly Line[];
  /** Those that are still there. */
  readonly results: Awaited<ReturnType<typeof readPage>>;
  readonly more: boolean;
  readonly placeAfter: (shown: number) => Place;
  readonly total: number;
  /** Whether there may be more than `total`. */
  readonly isOpen: boolean;
}

/** Bounds a page, and says where to go on. */
function toAnswer(page: Page, found: FoundPage, how: Pick<SearchAnswer, 'matchedBy' | 'vectors'>): SearchAnswer {
  const { results, lines } = found;
  const vectors = page.unsearched === null ? how.vectors : `${how.vectors}; ${page.unsearched}`;
  const rest = {
    total: Math.min(found.total, MAX_TOTAL),
    totalIsExact: !found.isOpen && found.total <= MAX_TOTAL,
    ...how,
    vectors,
  };
  const cursorAfter = (count: number): string | null => {
    if (count === results.length) return found.more ? toCursor(page.input, found.placeAfter(lines.length)) : null;
    const last = results[count - 1];
    return toCursor(page.input, found.placeAfter(lines.findIndex(({ id }) => id === last?.id) + 1));
  };
  const { query, namespaces, maxTokens } = page.input;
  const asked = JSON.stringify([query, namespaces]).length;
  const frame = (count: number): number => JSON.stringify({ ...rest, cursor: cursorAfter(count) }).length + asked + FRAME;
  const bounded = withinTokens(results, { maxTokens, frame });
  return { ...bounded, cursor: cursorAfter(bounded.results.length), ...rest };
}

async function bySubstring(db: Database, page: Page, scope: SearchScope, vectors: string): Promise<SearchAnswer> {
  const { question, limit, offset, place, input } = page;
  const before = place?.at === 'substring' ? place.after : undefined;
  // A substring has no score, so none reaches a higher one.
  const wanted =
    (input.minScore ?? 0) > 0
      ? undefined
      : await findSubstring(db, question.text, scope, { limit, offset, before, countUpTo: MAX_TOTAL + 1 });
  const found = wanted?.entries ?? [];
  const lines = found.slice(0, limit).map((one) => ({ ...one, score: 0, matched: ['the text as it is'] }));
  const shown = question.text === '' ? (input.phrase ?? '').trim() : question.text;
  const results = await readPage(db, lines, { text: shown }, scope);
  const placeAfter = (shown: number): Place => ({ at: 'substring', after: lines[shown - 1]?.id ?? 0 });
  const all = { lines, results, more: found.length > limit, placeAfter, total: wanted?.total ?? 0, isOpen: false };
  return toAnswer(page, all, { matchedBy: 'substring', vectors });
}

async function byWords(
  page: Page,
  inquiry: Inquiry,
  db: Database,
  deps: SearchDeps,
  knowledge: Knowledge,
): Promise<SearchAnswer> {
  const { limit, offset, place, input } = page;
  const { scope, reader, terms } = inquiry;
  const { candidates, ranked, full } = await rank(inquiry, knowledge);
  const named = await followNames(db, ranked, inquiry);
  const linked = inquiry.statistics.linked ? await followLinks(db, named, reader, scope) : named;
  const vectors = await askVectors(page, scope, linked.length > 0, deps.vectors);
  const fused = await fuse(db, wordsOnly(linked, full), vectors, reader, scope);
  const head = toHead(inquiry, candidates, fused);
  const minScore = input.minScore ?? 0;
  const paged = await turnPage(inquiry, head, place, { offset, limit, minScore });
  const context = { inquiry, full, semantic: vectors.semantic, explain: input.explain === true };
  const lines = paged.results.map((one) => toLine(one, context));
  const weights = new Map(terms.map((term) => [reader.vocabulary.ofStem(term.stem, term.word), term.idf]));
  const results = await readPage(db, lines, { vocabulary: reader.vocabulary, weights }, scope);
  const total = await countResults(inquiry, candidates, head, { minScore, limit: MAX_TOTAL + 1 });
  const matchedBy = linked.length === 0 && fused.length > 0 ? 'vectors' : 'words';
  const isOpen = !vectors.isAll && head.tail === null && head.results.every(({ score }) => score >= minScore);
  return toAnswer(page, { ...paged, lines, results, total, isOpen }, { matchedBy, vectors: vectors.note });
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
  const pending = createPending(deps.runtime);
  return {
    search: async (input) => {
      const checked = checkPage(input);
      const filter = toScope(input, deps.runtime.now());
      const db = await deps.open();
      const { question } = checked;
      const { text } = question;
      // The index does not find what stands within a run.
      const inRuns = input.phrase !== undefined && isWithinRuns(input.phrase) && (text === '' || isWithinRuns(text));
      const literally = question.terms.length === 0 || checked.place?.at === 'substring' || (inRuns && checked.place === null);
      if (literally && input.phrase === undefined) return bySubstring(db, checked, filter, OFF.note);
      const { statistics, unsearched } = await pending.takeIn(db);
      const page = { ...checked, unsearched };
      const scope = input.phrase === undefined ? filter : await withPhrase(db, input.phrase, filter);
      if (literally) {
        const answer = await bySubstring(db, page, scope, OFF.note);
        if (answer.total > 0 || !inRuns || page.place !== null) return answer;
      }
      await forgetChanged(db, statistics, changes, knowledge);
      const reader = knowledge.passages.reader(statistics.entries);
      const asked = await weigh(db, question, statistics, knowledge);
      const lookup = { queries: db, scope, statistics, counts: knowledge.counts, membership: reader.membership };
      const similar = await similarTerms(asked, { ...lookup, reader });
      const inquiry: Inquiry = { ...lookup, question, terms: [...asked, ...similar], asked: asked.length, reader };
      const answer = await byWords(page, inquiry, db, deps, knowledge);
      if (answer.total > 0 || !question.foreign || page.place !== null) return answer;
      const substring = await bySubstring(db, checked, scope, answer.vectors); // which says already what was not searched
      return substring.total > 0 ? substring : answer;
    },
  };
}
