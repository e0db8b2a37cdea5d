import { capLent, type Lent } from './cap-lent.ts';
import { findCandidates, type Candidate, type Candidates, type Lookup, type WeighedTerm } from './candidates.ts';
import { learn, type Learnt } from './feedback.ts';
import type { Passage, Passages, Reader } from './passages.ts';
import type { Question } from './question.ts';
import { createPool, kindOf, lentScore, nearness, ownScores, type Pair, type Pool, type QueryTerm } from './rank.ts';
import { readBeside, WINDOWS, type Sequences } from './sequences.ts';
import { idf } from './statistics.ts';
import type { WordCounts } from './word-counts.ts';

/** What is kept between searches. */
export interface Knowledge {
  readonly counts: WordCounts;
  readonly passages: Passages;
  readonly sequences: Sequences;
}

/** What is known while one question is answered. */
export interface Inquiry extends Lookup {
  readonly question: Question;
  /** Those of the question, then words like them. */
  readonly terms: readonly WeighedTerm[];
  /** How many of the terms are the question's own. */
  readonly asked: number;
  readonly reader: Reader;
}

/** A score before it is brought to 0..1, by what it came from. */
export interface Parts {
  readonly words: number;
  readonly neighbours: number;
  readonly feedback: number;
  readonly links: number;
}

export interface Ranked {
  readonly passage: Passage;
  readonly parts: Parts;
  /** Importance and subject: multiplies the sum of the parts. */
  readonly factor: number;
  /** The entry beside it that lends it most; `null` when its own words are enough. */
  readonly nextTo: Passage | null;
  /** The result that led to it, by a link or by a name in both; `null` when words did. */
  readonly reached: { readonly from: Passage; readonly by: 'link' | 'name' } | null;
}

export function total({ parts, factor }: Ranked): number {
  return factor * (parts.words + parts.neighbours + parts.feedback + parts.links);
}

/** Candidates that are read and ranked. */
export const HEAD = 150;
/** Candidates beside which others are read. */
const EXPANDED = 75;
/** What an entry gains that begins with a name of the question. */
const SUBJECT_FACTOR = 1.2;
/** What vital entries gain, and trivia lose. */
const IMPORTANCE_SPREAD = 0.2;
/** Words of the question of which is told who has them and to whom they are lent. */
const MAX_BITS = 30;
/** The share of a candidate's weight that counts when its words were not read: in a part of it too far from its beginning. */
const UNREAD_SHARE = 0.3;

/** Reads the candidates and what stands beside the best of them. */
async function readPool(inquiry: Inquiry, knowledge: Knowledge, candidates: readonly Candidate[]): Promise<Pool> {
  const { queries, reader, scope, statistics } = inquiry;
  const ids = candidates.map((candidate) => candidate.id);
  const own = await reader.load(queries, ids);
  const best = ids.flatMap((id) => own.get(id) ?? []);
  const kinds = await knowledge.sequences.kinds(queries, best, reader.vocabulary, statistics.revision);
  const byReach = new Map<number, number[]>();
  for (const id of ids.slice(0, EXPANDED)) {
    const passage = own.get(id);
    if (passage === undefined) continue;
    const { before, after } = WINDOWS[kindOf(passage, kinds)];
    const reach = Math.max(before.length, after.length);
    if (reach > 0) byReach.set(reach, [...(byReach.get(reach) ?? []), id]);
  }
  const beside = (await Promise.all([...byReach].map(([reach, some]) => readBeside(queries, some, reach)))).flat();
  const others = new Set(beside.flatMap(({ before, after }) => [...before, ...after]).filter((id) => !own.has(id)));
  const lenders = await reader.read(queries, [...others], scope);
  const passages = [...best, ...lenders.values()];
  return createPool(passages, beside, kinds);
}

/** Neighbouring words of the question, as terms. */
function pairsOf({ question, terms }: Inquiry, numbered: readonly QueryTerm[]): readonly Pair[] {
  const rowOf = new Map(terms.map(({ stem }, row) => [stem, row]));
  const pairs: Pair[] = [];
  for (const [index, stem] of question.order.entries()) {
    const rows = [rowOf.get(question.order[index - 1] ?? '') ?? -1, rowOf.get(stem) ?? -1] as const;
    const [a, b] = [numbered[rows[0]], numbered[rows[1]]];
    if (index > 0 && a !== undefined && b !== undefined && a.term !== b.term && a.frequency > 0 && b.frequency > 0)
      pairs.push({ a, b, rows });
  }
  return pairs;
}

function sumAt(scores: readonly Float64Array[], terms: readonly QueryTerm[], column: number): number {
  return terms.reduce((sum, { weight }, row) => sum + weight * (scores[row]?.[column] ?? 0), 0);
}

/** The scores of a pool's passages for what was asked and learnt. */
function scorePool(
  inquiry: Inquiry,
  pool: Pool,
  asked: readonly QueryTerm[],
  { terms, keep }: Learnt,
  unread: ReadonlyMap<number, number>,
): readonly Ranked[] {
  const { statistics, question, reader } = inquiry;
  const scores = ownScores(pool, terms, statistics);
  const names = new Set([...question.names].map((name) => reader.vocabulary.of(name)));
  const pairs = pairsOf(inquiry, asked);
  const scored = pool.passages.map((passage, column): Ranked & Lent => {
    let own = 0;
    let lent = 0;
    let words = nearness(pool, column, pairs, scores, statistics);
    let neighbours = 0;
    let feedback = 0;
    let most = 0;
    let lender = -1;
    const isAlone = (pool.lenders[column]?.length ?? 0) === 0;
    for (let row = 0; row < terms.length; row += 1) {
      const scoresOfTerm = scores[row];
      if (scoresOfTerm === undefined) continue;
      const mine = scoresOfTerm[column] ?? 0;
      if (mine === 0 && isAlone) continue;
      const weight = terms[row]?.weight ?? 0;
      const kept = keep * (asked[row]?.weight ?? 0);
      const { gain, from } = lentScore(pool, scoresOfTerm, column);
      words += kept * mine;
      neighbours += kept * gain;
      feedback += (weight - kept) * mine;
      neighbours += (weight - kept) * gain;
      if (row < Math.min(asked.length, MAX_BITS)) {
        if (mine > 0) own |= 1 << row;
        // A series is of longer texts, which must match by themselves anyway.
        else if (gain > 0 && pool.short[column] === true) lent |= 1 << row;
      }
      if (weight * gain > most) {
        most = weight * gain;
        lender = from;
      }
    }
    if (words + neighbours === 0) words = UNREAD_SHARE * keep * (unread.get(passage.id) ?? 0);
    const subject = names.has(passage.lead) && passage.lead >= 0 ? SUBJECT_FACTOR : 1;
    return {
      passage,
      parts: { words, neighbours, feedback, links: 0 },
      factor: subject * (1 + IMPORTANCE_SPREAD * (passage.importance - 0.5)),
      nextTo: pool.passages[lender] ?? null,
      reached: null,
      own,
      lent,
    };
  });
  const capped = capLent(scored);
  return scored.map((one, column) => {
    const parts = capped[column] ?? one.parts;
    const nextTo = parts.neighbours > parts.words ? one.nextTo : null;
    return { passage: one.passage, parts, factor: one.factor, nextTo, reached: one.reached };
  });
}

/** Best first; of equals the latest. */
export function byTotal(a: Ranked, b: Ranked): number {
  return total(b) - total(a) || b.passage.updatedAt - a.passage.updatedAt || b.passage.id - a.passage.id;
}

export interface Ranking {
  readonly candidates: Candidates;
  /** Best first, all with a total above 0. */
  readonly ranked: readonly Ranked[];
  /** The total of an entry of average length that has each word of the question once. */
  readonly full: number;
}

/** Ranks the entries that match a question, and those beside them in a conversation. */
export async function rank(inquiry: Inquiry, knowledge: Knowledge): Promise<Ranking> {
  const { queries, terms, statistics, reader } = inquiry;
  const { vocabulary } = reader;
  const candidates = await findCandidates(inquiry, terms, HEAD);
  const asked = terms.map(({ stem, word, count, frequency }) => ({
    term: vocabulary.ofStem(stem, word),
    weight: count,
    frequency,
  }));
  const pool = await readPool(inquiry, knowledge, candidates.best);
  const weights = new Map(candidates.best.map(({ id, weight }) => [id, weight]));
  const scores = ownScores(pool, asked, statistics);
  const first = pool.passages
    .map((passage, column) => ({ passage, score: sumAt(scores, asked, column), short: pool.short[column] === true }))
    .filter(({ passage, score }) => score > 0 && weights.has(passage.id))
    .sort((a, b) => b.score - a.score || b.passage.id - a.passage.id);
  const learnt = await learn(queries, asked, first, { vocabulary, counts: knowledge.counts, statistics });
  const scored = scorePool(inquiry, pool, asked, learnt, weights);
  // A turn without a word of the question may be its answer; other texts must match by themselves.
  const ranked = scored.filter((one, column) => total(one) > 0 && (pool.talk[column] === true || weights.has(one.passage.id)));
  const own = terms.slice(0, inquiry.asked);
  const full = learnt.keep * own.reduce((sum, { count, frequency }) => sum + count * idf(frequency, statistics), 0);
  return { candidates, ranked: [...ranked].sort(byTotal), full };
}
