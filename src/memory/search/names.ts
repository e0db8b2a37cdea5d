import type { Queries } from '../../store/database.ts';
import { textBytes, textOf } from '../../store/row.ts';
import { addGains, type Gain } from './gains.ts';
import { expressionOf } from './question.ts';
import { total, type Inquiry, type Ranked } from './ranking.ts';
import { stemOf, wordsOf } from './stem.ts';
import { STOP_WORDS } from './stop-words.ts';

/** Results whose names are followed. */
const FOLLOWED = 2;
/** Only results with at least this share of the best one's score are about the question's name. */
const SURE = 0.6;
/** Names followed of each. */
const NAMES_OF_EACH = 4;
/** What more entries speak of than this is no lead to a second fact. */
const MAX_ENTRIES = 12;
/** So few may speak of it anywhere; of more, only those that begin with it. */
const FEW_ENTRIES = 3;
/** The share of a result's score that an entry gains that speaks of a name in it. */
const NAME_WEIGHT = 0.3;
/** Characters of a result in which names are looked for. */
const READ_CHARACTERS = 600;

/** Capitalised words that follow another word, so that the capital is not a sentence's. */
const NAME = /(?<=[\p{L}\p{N}][\p{L}\p{N}'’]*[,;)]? )\p{Lu}[\p{L}\p{M}\p{N}]+/gu;

interface Name {
  readonly term: number;
  readonly expression: string;
  readonly source: Ranked;
}

function namesIn(text: string, { question, reader }: Inquiry, source: Ranked): readonly Name[] {
  const words = new Set((text.match(NAME) ?? []).flatMap((name) => wordsOf(name)));
  return [...words]
    .map((word) => ({ word, stem: stemOf(word) }))
    .filter(({ word, stem }) => !STOP_WORDS.has(word) && !question.order.includes(stem))
    .slice(0, NAMES_OF_EACH)
    .map(({ word, stem }) => ({ term: reader.vocabulary.of(word), expression: expressionOf(stem, word), source }));
}

async function readNames(queries: Queries, sources: readonly Ranked[], inquiry: Inquiry): Promise<readonly Name[]> {
  const names: Name[] = [];
  for (const source of sources) {
    const row = await queries.get(
      `SELECT ${textBytes(`substr(coalesce(words, value), 1, ${READ_CHARACTERS})`)} AS text FROM memory_entry WHERE id = ?`,
      [source.passage.id],
    );
    if (row !== undefined) names.push(...namesIn(textOf(row, 'text'), inquiry, source));
  }
  return names;
}

/**
 * Adds what speaks of the same rare name as the best results: the second step of a question whose answer lies in an entry
 * without its words (`Where does Ruben work?`: `Ruben is employed by Acme`, `Acme has its office in Lisbon`). Only of
 * questions that name somebody or something themselves.
 */
export async function followNames(queries: Queries, ranked: readonly Ranked[], inquiry: Inquiry): Promise<readonly Ranked[]> {
  const { question, reader, scope, statistics, counts } = inquiry;
  const [best] = ranked;
  if (best === undefined || question.names.size === 0) return ranked;
  const asked = [...question.names].map((name) => reader.vocabulary.of(name));
  const sources = ranked
    .slice(0, FOLLOWED)
    .filter((one) => total(one) >= SURE * total(best) && asked.some((name) => one.passage.terms.includes(name)));
  const names = await readNames(queries, sources, inquiry);
  if (names.length === 0) return ranked;
  const expressions = names.map(({ expression }) => expression);
  const frequencies = await counts.about(queries, statistics, expressions);
  const rare = names.filter((_, index) => (frequencies[index] ?? 0) >= 2 && (frequencies[index] ?? 0) <= MAX_ENTRIES);
  const lists = await counts.lists(
    queries,
    statistics,
    rare.map(({ expression }) => expression),
  );
  const speaking = await reader.read(queries, [...new Set(lists.flatMap((ids) => [...ids]))], scope);
  const gains = new Map<number, Gain>();
  for (const [index, { term, source }] of rare.entries()) {
    const ids = lists[index] ?? new Uint32Array();
    for (const id of ids) {
      const passage = speaking.get(id);
      if (passage === undefined || id === source.passage.id) continue;
      if (ids.length > FEW_ENTRIES && passage.lead !== term) continue;
      const gain = NAME_WEIGHT * total(source);
      if (gain > (gains.get(id)?.gain ?? 0)) gains.set(id, { gain, source, by: 'name' });
    }
  }
  return addGains(ranked, gains, speaking);
}
