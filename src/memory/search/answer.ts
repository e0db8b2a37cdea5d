import type { EntryHead } from '../entry.ts';
import type { JsonValue } from '../value.ts';

/** Which entries are searched. Left out means no restriction. Times are milliseconds since the epoch. */
export interface SearchFilter {
  /** In any of these. */
  readonly namespaces?: readonly string[] | undefined;
  /** With all of these. */
  readonly tags?: readonly string[] | undefined;
  readonly kind?: string | undefined;
  readonly agent?: string | undefined;
  readonly session?: string | undefined;
  /** A glob over keys, in which `*` stands for any characters and `?` for one: `auth*`. */
  readonly keys?: string | undefined;
  /** Written at or after. */
  readonly since?: number | undefined;
  /** Written before. */
  readonly until?: number | undefined;
  /** What held then; default now, so that what was superseded is left out. `null`: whatever ever held. */
  readonly validAt?: number | null | undefined;
}

export interface SearchInput extends SearchFilter {
  /** Plain language, at most 4,096 bytes; no character has a special meaning. May be empty when `phrase` is given. */
  readonly query: string;
  /**
   * Words that must stand in the entry in exactly this order. Scripts without spaces (Chinese, Japanese, Thai) need not have
   * them as whole words; a query in another script then finds by its own words only.
   */
  readonly phrase?: string | undefined;
  /** 1 to 100; default 10. */
  readonly limit?: number | undefined;
  /** Results skipped, 0 to 10,000; default 0. */
  readonly offset?: number | undefined;
  /**
   * `cursor` of an earlier answer to the same question: goes on after its last result, instead of `offset`. Whatever is
   * written in between, no entry comes twice unless it was changed, and none that matches by words is left out.
   */
  readonly cursor?: string | undefined;
  /** Leave out results with a lower score, 0 to 1; they do not count in `total` either. */
  readonly minScore?: number | undefined;
  /**
   * Bounds the whole answer, 100 to 1,000,000: about 4 characters a token. To fit, values are shortened or left out, then
   * results, then the snippet of the last one is shortened; when even that is too much, the error names what is needed.
   */
  readonly maxTokens?: number | undefined;
  /** Say of each result how its score came about. */
  readonly explain?: boolean | undefined;
}

/** How a score came about; parts that contributed nothing are absent. */
export interface Explanation {
  /** BM25 of the entry's own words, 0 to 1. */
  readonly words?: number;
  /** Added by entries next to it in the same session. */
  readonly neighbours?: number;
  /** Added by words that the best results have in common (RM3). */
  readonly feedback?: number;
  /** Similarity of vectors, -1 to 1, before its weight. */
  readonly vector?: number;
  /** Added by links and shared names of other results. */
  readonly links?: number;
}

export interface SearchResult extends EntryHead {
  /** Absent when `maxTokens` left no room for it. */
  readonly value?: JsonValue;
  /** 0 to 1, higher is better; comparable within one answer. 0 for substrings, which are not ranked. */
  readonly score: number;
  /** The part that matches, as plain text of at most 300 characters. */
  readonly snippet: string;
  /**
   * Why it is here, a few words each: `token, auth`, `next to <key>`, `vector 0.82 (lexical)`, `linked from <key>`,
   * `shares a name with <key>`.
   */
  readonly matched: readonly string[];
  readonly explanation?: Explanation;
}

export interface SearchAnswer {
  /**
   * Best first. Beyond the 150 that are ranked closely, matches come by the weight of the words they have, of equals those
   * written first last; so do substrings. Empty when nothing matches.
   */
  readonly results: readonly SearchResult[];
  /**
   * Results without `limit`, `offset` and `maxTokens`, but with `minScore`, counted up to 1,000; of those that only
   * vectors find, as many as were looked for.
   */
  readonly total: number;
  /** Whether {@link total} is all of them. */
  readonly totalIsExact: boolean;
  /** Passed as `cursor`, it gets the next results; `null` at the end. */
  readonly cursor: string | null;
  /** Whether `maxTokens` left out values or results. */
  readonly shortened: boolean;
  /**
   * `words`: any word of the query, in any of its forms, ranked. `substring`: the query exactly as it is, used when it has
   * no word (only emoji, only punctuation), and when words outside ASCII found nothing, since scripts without spaces are
   * indexed a whole run at a time; a phrase in such a script is looked for so first. `vectors`: no word was found, only what
   * is near.
   */
  readonly matchedBy: 'words' | 'substring' | 'vectors';
  /**
   * What vectors did: `off`, or the space and how far it is, or why they could not help this time. After a semicolon: how
   * many entries stored lately could not be searched by their words, and why.
   */
  readonly vectors: string;
}
