import { DatabaseDamagedError } from '../../errors.ts';
import type { Queries } from '../../store/database.ts';
import { textBytes, textOf } from '../../store/row.ts';
import { parseTags } from '../entry.ts';
import { createBits } from './bits.ts';
import type { SearchScope } from './filter.ts';
import { BYTES, type Sized } from './in-parts.ts';
import { createMembership, type Membership } from './membership.ts';
import { createVocabulary, type Vocabulary } from './vocabulary.ts';

/** An entry as the ranking reads it. */
export interface Passage extends Sized {
  readonly updatedAt: number;
  readonly namespace: string;
  readonly key: string;
  /** Names its session within its namespace; `null` when it has none. */
  readonly sequence: string | null;
  readonly session: string | null;
  readonly importance: number;
  /** Stems of value, key and tags in order, without stop words; -1 between the three. */
  readonly terms: Int32Array;
  /** How many of the terms are the value's. */
  readonly own: number;
  /** All words of the three. */
  readonly length: number;
  /** Words of the value. */
  readonly words: number;
  /** The stem of the first word of the value: who speaks, or of what. -1 when there is none. */
  readonly lead: number;
  /** Whether it begins as a line of a dialogue does: `Name: `. */
  readonly labelled: boolean;
  /** Whether it asks something. */
  readonly asks: boolean;
  /** Whether it asks, or speaks of `I` or `you`, as people do who talk with each other. */
  readonly spoken: boolean;
}

/** Characters of a value that the ranking reads. */
const READ_CHARACTERS = 12_000;
/** Characters in which signs of speech are looked for. */
const SPOKEN_CHARACTERS = 400;
/** Entries read by one statement, so that a server's answer stays below what it refuses to send (10 MB). */
const READ_AT_ONCE = 100;
/** Entries, their stems and different words that are kept; beyond it everything is forgotten. */
const MAX_PASSAGES = 4_000;
const MAX_TERMS = 300_000;
const MAX_WORDS = 60_000;

/** Question marks of the scripts that have their own. */
const QUESTION = /[?？؟՞]/u;
/** How people who talk name each other. */
const PERSON = /(?<![\p{L}\p{N}])(?:I|[Mm]y|[Mm]e|[Yy]ou|[Yy]our)(?![\p{L}\p{N}])/u;
const LABEL = /^\p{Lu}[\p{L}\p{M}'.-]*(?: \p{Lu}[\p{L}\p{M}'.-]*)?: /u;

/** What is read of an entry; one list of these is quicker than rows. */
type PassageColumns = readonly [
  id: number,
  updatedAt: number,
  importance: number,
  namespace: string,
  key: string,
  tags: string,
  session: string | null,
  bytes: number,
  text: string,
];

/** Columns of `memory_entry m` for {@link toPassages}, as `found`. */
export function passageColumns(characters: number): string {
  const list = `json_group_array(json_array(m.id, m.updated_at, m.importance, m.namespace, m.key, m.tags, m.session, ${BYTES},
    substr(coalesce(m.words, m.value), 1, ${characters})))`;
  return `${textBytes(list)} AS found`;
}

/** Where stems are put: in few large buffers, since each small one has a cost of its own. */
interface TermStore {
  /** A copy that stays. */
  keep(terms: Int32Array): Int32Array;
}

const BUFFER_TERMS = 16_384;

export function createTermStore(): TermStore {
  let buffer = new Int32Array(0);
  let used = 0;
  return {
    keep: (terms) => {
      if (terms.length > BUFFER_TERMS / 4) return terms.slice();
      if (used + terms.length > buffer.length) {
        buffer = new Int32Array(BUFFER_TERMS);
        used = 0;
      }
      const kept = buffer.subarray(used, used + terms.length);
      kept.set(terms);
      used += terms.length;
      return kept;
    },
  };
}

let scratch = new Int32Array(1024);

/** Whether each is of its type: damage can make something else of it. */
function isWhole([, updatedAt, importance, namespace, key, tags, session, , text]: readonly unknown[]): boolean {
  return (
    typeof updatedAt === 'number' &&
    typeof importance === 'number' &&
    typeof namespace === 'string' &&
    typeof key === 'string' &&
    typeof tags === 'string' &&
    (session === null || typeof session === 'string') &&
    typeof text === 'string'
  );
}

function damaged(): DatabaseDamagedError {
  return new DatabaseDamagedError('the database is damaged: an entry holds a number for a text, or a text for a number', {
    hint: 'Look at the damage with skillflow memory doctor, and restore a backup.',
  });
}

function toPassage(
  [id, updatedAt, importance, namespace, key, tags, session, bytes, text]: PassageColumns,
  vocabulary: Vocabulary,
  store: TermStore,
): Passage {
  let size = 0;
  let lead = -1;
  const add = (part: string, separate: boolean, onlyTelling: boolean): number => {
    const count = vocabulary.read(part, onlyTelling);
    const { numbers } = vocabulary;
    if (size + count + 1 > scratch.length) {
      const larger = new Int32Array(2 * (size + count + 1));
      larger.set(scratch.subarray(0, size));
      scratch = larger;
    }
    if (size === 0 && count > 0) lead = numbers[0] ?? -1;
    if (separate && size > 0 && count > 0) scratch[size++] = -1;
    for (let index = 0; index < count; index += 1) {
      const term = numbers[index] ?? -1;
      if (term >= 0) scratch[size++] = term;
    }
    return count;
  };
  const words = add(text, false, false);
  const own = size;
  const first = words === 0 ? -1 : lead;
  // Numbers in keys are as many as entries, and would fill the vocabulary; who asks for one still finds it by the index.
  let length = words + add(key, true, true);
  const beginning = text.slice(0, SPOKEN_CHARACTERS);
  const asks = QUESTION.test(beginning);
  let separate = true;
  for (const tag of parseTags(tags)) {
    const count = add(tag, separate, false);
    if (count > 0) separate = false;
    length += count;
  }
  return {
    id,
    bytes,
    updatedAt,
    namespace,
    key,
    session,
    sequence: session === null ? null : `${namespace}\0${session}`, // no name has a NUL
    importance,
    terms: store.keep(scratch.subarray(0, size)),
    own,
    length,
    words,
    lead: first,
    labelled: LABEL.test(text),
    asks,
    spoken: asks || PERSON.test(beginning),
  };
}

/** Reads the `found` of {@link passageColumns}. */
export function toPassages(found: string, vocabulary: Vocabulary, storeOf: (id: number) => TermStore): readonly Passage[] {
  const rows: readonly PassageColumns[] = JSON.parse(found);
  if (!rows.every(isWhole)) throw damaged();
  return rows.map((row) => toPassage(row, vocabulary, storeOf(row[0])));
}

/** What one search reads with. */
export interface Reader {
  readonly vocabulary: Vocabulary;
  /** The entries as they were at the last change that is known, or newer; without those that are gone. */
  load(queries: Queries, ids: readonly number[]): Promise<ReadonlyMap<number, Passage>>;
  /** Those of the ids that are in scope. */
  read(queries: Queries, ids: readonly number[], scope: SearchScope): Promise<ReadonlyMap<number, Passage>>;
  readonly membership: Membership;
}

interface KeptReader extends Reader {
  readonly keepsAll: boolean;
  isFull(): boolean;
  forget(ids: readonly number[]): void;
}

/** @param keepAll whether to keep what is read for the first time; else only what is read again, since most is not */
function createReader(membership: Membership, vocabulary: Vocabulary, keepAll: boolean): KeptReader {
  const kept = new Map<number, Passage>();
  const store = createTermStore();
  const seen = createBits();
  let terms = 0;
  let changes = 0;
  const load: Reader['load'] = async (queries, ids) => {
    const found = new Map<number, Passage>();
    const missing: number[] = [];
    for (const id of ids) {
      const passage = kept.get(id);
      if (passage === undefined) missing.push(id);
      else found.set(id, passage);
    }
    for (let first = 0; first < missing.length; first += READ_AT_ONCE) {
      const before = changes;
      const row = await queries.get(
        `SELECT ${passageColumns(READ_CHARACTERS)} FROM json_each(?) wanted CROSS JOIN memory_entry m ON m.id = wanted.value
        WHERE m.deleted_at IS NULL`,
        [JSON.stringify(missing.slice(first, first + READ_AT_ONCE))],
      );
      const once = createTermStore();
      const storeOf = (id: number): TermStore => (keepAll || seen.has(id) ? store : once);
      for (const passage of toPassages(textOf(row ?? {}, 'found'), vocabulary, storeOf)) {
        found.set(passage.id, passage);
        // What another search has heard to have changed meanwhile may have been read too early.
        if (before === changes && storeOf(passage.id) === store) {
          terms += passage.terms.length;
          kept.set(passage.id, passage);
        }
        seen.add(passage.id);
      }
    }
    return found;
  };
  return {
    vocabulary,
    membership,
    keepsAll: keepAll,
    isFull: () => kept.size > MAX_PASSAGES || terms > MAX_TERMS,
    forget: (ids) => {
      changes += 1;
      for (const id of ids) kept.delete(id);
    },
    load,
    read: async (queries, ids, scope) => load(queries, await membership.inScope(queries, ids, scope)),
  };
}

/** Entries that were read before, kept in this process within bounds. */
export interface Passages {
  /** @param entries in the memory */
  reader(entries: number): Reader;
  /** Forgets entries that have changed; all of them for `null`. */
  forget(ids: readonly number[] | null): void;
}

export function createPassages(): Passages {
  const membership = createMembership();
  const fresh = (vocabulary: Vocabulary, keepAll: boolean): KeptReader => createReader(membership, vocabulary, keepAll);
  let current = fresh(createVocabulary(), true);
  return {
    reader: (entries) => {
      const keepAll = entries <= MAX_PASSAGES;
      if (current.vocabulary.words > MAX_WORDS) current = fresh(createVocabulary(), keepAll);
      else if (current.isFull() || current.keepsAll !== keepAll) current = fresh(current.vocabulary, keepAll);
      return current;
    },
    forget: (ids) => {
      membership.forget(ids);
      if (ids === null) current = fresh(current.vocabulary, current.keepsAll);
      else current.forget(ids);
    },
  };
}
