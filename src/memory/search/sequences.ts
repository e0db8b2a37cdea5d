import type { Queries } from '../../store/database.ts';
import { textOf } from '../../store/row.ts';
import { meanSimilarities } from './cohesion.ts';
import { createTermStore, passageColumns, toPassages, type Passage } from './passages.ts';
import type { Vocabulary } from './vocabulary.ts';

/**
 * What the entries of one session in one namespace are to each other. `talk`: short turns that need each other to be
 * understood; `topics`: short notes that come topic by topic; `series`: longer texts of which neighbours have more in common than others; `none`: neighbours by chance.
 */
export type SequenceKind = 'talk' | 'topics' | 'series' | 'none';

/** How a sequence lends its words: by distance, first what stood before, then what stands after. */
export interface Window {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

export const WINDOWS: Readonly<Record<SequenceKind, Window>> = {
  // What is said is more often explained by what was said before, as an answer is by its question.
  talk: { before: [0.7, 0.5, 0.3], after: [0.4, 0.2] },
  topics: { before: [0.7, 0.5, 0.3], after: [0.5, 0.3] },
  series: { before: [0.2], after: [0.2] },
  none: { before: [], after: [] },
};

/** The first entries of a session, which tell what it is. */
const SAMPLE = 64;
const SAMPLED_CHARACTERS = 800;
/** Fewer than these tell nothing. */
const SMALLEST_SAMPLE = 12;
/** Neighbours have in common this many times what entries farther apart have. */
const COHESIVE = 1.5;
/** Of the turns of a talk whose speakers are named as many are by another one than the turn before, */
const TURNS = 0.25;
/** some ask, and some speak as people do: most of them when they are not named. */
const ASKING = 0.05;
const SPOKEN = 0.15;
const SPOKEN_WITHOUT_NAMES = 0.6;
/** Words of a text that says little by itself. */
const SHORT = 20;
/** Distances at which entries have no more in common than any. */
const FAR = [7, 11, 17, 23];
const MAX_KNOWN = 2_000;

/**
 * Whether entries are the turns of people who talk: lines that begin with the names of few who take turns, some of which
 * ask or speak of `I` and `you`. Notes are labelled as well (`Note: `, `Fix: `), but do not speak; and most of what is
 * stored one after the other is no talk at all.
 */
function isTalk(sample: readonly Passage[]): boolean {
  const share = (some: readonly unknown[]): number => some.length / sample.length;
  const labelled = sample.filter((passage) => passage.labelled);
  const speakers = new Set(labelled.map((passage) => passage.lead));
  const turns = sample.filter((passage, index) => index > 0 && passage.lead !== sample[index - 1]?.lead);
  if (share(sample.filter((passage) => passage.asks)) < ASKING) return false;
  const spoken = share(sample.filter((passage) => passage.spoken));
  if (share(labelled) <= 0.5) return sample.length >= SMALLEST_SAMPLE && spoken >= SPOKEN_WITHOUT_NAMES;
  return speakers.size > 1 && speakers.size <= Math.max(2, sample.length / 3) && share(turns) >= TURNS && spoken >= SPOKEN;
}

/** What a sample of consecutive entries says of their sequence. */
function sequenceKind(sample: readonly Passage[]): SequenceKind {
  const talk = isTalk(sample);
  if (sample.length < SMALLEST_SAMPLE) return talk ? 'talk' : 'none';
  const [near = 0, ...others] = meanSimilarities(sample, [1, ...FAR.filter((distance) => distance < sample.length)]);
  const far = others.reduce((sum, mean) => sum + mean, 0) / others.length;
  if (near === 0 || near < COHESIVE * far) return 'none';
  const lengths = sample.map((passage) => passage.words).sort((a, b) => a - b);
  if (talk) return 'talk';
  return (lengths[lengths.length >> 1] ?? 0) <= SHORT ? 'topics' : 'series';
}

/** The best passage of a sequence, and how much the sequence matters to the question. */
interface Member {
  readonly passage: Passage;
  weight: number;
}

interface Known {
  readonly kind: SequenceKind;
  readonly sampled: number;
  readonly revision: number;
}

/** Tells conversations and other sequences from entries that stand together by chance. */
export interface Sequences {
  /**
   * The kinds of the sequences that the passages, best first, belong to. One search looks at one for the first time, as a
   * rule that of its best passage, or of many; the others are `none` until then.
   */
  kinds(
    queries: Queries,
    passages: Iterable<Passage>,
    vocabulary: Vocabulary,
    revision: number,
  ): Promise<ReadonlyMap<string, SequenceKind>>;
  /** Forgets everything. */
  clear(): void;
}

async function sampleOf(queries: Queries, passage: Passage, vocabulary: Vocabulary): Promise<readonly Passage[]> {
  const row = await queries.get(
    `SELECT ${passageColumns(SAMPLED_CHARACTERS)} FROM (SELECT * FROM memory_entry
      WHERE session = ? AND namespace = ? AND deleted_at IS NULL ORDER BY id LIMIT ${SAMPLE}) m`,
    [passage.session, passage.namespace],
  );
  const store = createTermStore();
  return toPassages(textOf(row ?? {}, 'found'), vocabulary, () => store);
}

export function createSequences(): Sequences {
  const known = new Map<string, Known>();
  /** The first entries seldom change once there are enough of them. */
  const isFresh = (sequence: string, revision: number): boolean => {
    const last = known.get(sequence);
    if (last === undefined) return false;
    return revision - last.revision <= (last.sampled === SAMPLE ? 10_000 : last.sampled / 8);
  };
  return {
    clear: () => known.clear(),
    kinds: async (queries, passages, vocabulary, revision) => {
      const members = new Map<string, Member>();
      let place = 0;
      for (const passage of passages) {
        place += 1;
        const { sequence } = passage;
        if (sequence === null) continue;
        const member = members.get(sequence);
        if (member === undefined) members.set(sequence, { passage, weight: 1 / place });
        else member.weight += 1 / place;
      }
      let unsure: { readonly sequence: string; readonly member: Member } | undefined;
      for (const [sequence, member] of members) {
        if (member.weight > (unsure?.member.weight ?? 0) && !isFresh(sequence, revision)) unsure = { sequence, member };
      }
      if (unsure !== undefined) {
        const sample = await sampleOf(queries, unsure.member.passage, vocabulary);
        if (known.size >= MAX_KNOWN) known.clear();
        known.set(unsure.sequence, { kind: sequenceKind(sample), sampled: sample.length, revision });
      }
      return new Map([...members.keys()].map((sequence) => [sequence, known.get(sequence)?.kind ?? 'none']));
    },
  };
}

/** Ids that may stand between two neighbours: what other sessions wrote meanwhile. */
const WIDEST_GAP = 64;

/** The ids of entries beside one in its session and namespace, nearest first. */
export interface Beside {
  readonly id: number;
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** What stands up to `reach` places before and after each of the given entries; those without a session are left out. */
export async function readBeside(queries: Queries, ids: readonly number[], reach: number): Promise<readonly Beside[]> {
  if (ids.length === 0) return [];
  const side = (range: string, order: string): string =>
    `(SELECT json_group_array(id) FROM (SELECT n.id FROM memory_entry n WHERE n.session = c.session AND n.namespace = c.namespace
      AND n.deleted_at IS NULL AND ${range} ORDER BY n.id ${order} LIMIT ?))`;
  const row = await queries.get(
    `SELECT json_group_array(json_array(c.id, json(${side(`n.id < c.id AND n.id > c.id - ${WIDEST_GAP}`, 'DESC')}),
      json(${side(`n.id > c.id AND n.id < c.id + ${WIDEST_GAP}`, 'ASC')}))) AS found
    FROM json_each(?) wanted CROSS JOIN memory_entry c ON c.id = wanted.value WHERE c.session IS NOT NULL`,
    [reach, reach, JSON.stringify(ids)],
  );
  const found: readonly (readonly [number, readonly number[], readonly number[]])[] = JSON.parse(textOf(row ?? {}, 'found'));
  return found.map(([id, before, after]) => ({ id, before, after }));
}
