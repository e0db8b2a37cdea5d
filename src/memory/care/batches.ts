import { nameOf } from '../entry-name.ts';
import type { Incoming, IncomingLink, Source } from './incoming.ts';
import type { Tally } from './tally.ts';

/** What is brought in by a few statements; whole in itself: an entry comes with its history. */
export type Batch =
  | { readonly kind: 'entries'; readonly entries: readonly Incoming[]; readonly characters: number }
  | { readonly kind: 'links'; readonly links: readonly IncomingLink[]; readonly characters: number };

/** What of a source is wanted. */
export interface Wanted {
  /** Milliseconds since the epoch; what has expired by then is left out. */
  readonly now: number;
  /** Only entries of this namespace. */
  readonly namespace?: string | undefined;
}

/** Entries or links handled at once, and characters of their values. */
const BATCH = 64;
const BATCH_CHARACTERS = 4 * 1024 * 1024;

function* wantedEntries(source: Source, { now, namespace }: Wanted, tally: Tally): Generator<Incoming> {
  for (const entry of source.entries()) {
    if (namespace !== undefined && entry.namespace !== namespace) continue;
    if (entry.current.expiresAt === null || entry.current.expiresAt > now) yield entry;
    else tally.expired += 1;
  }
}

/** Entries in groups that hold no name twice and not much text. @param tally counts what had expired */
export function* entryBatches(source: Source, wanted: Wanted, tally: Tally): Generator<Batch & { kind: 'entries' }> {
  let batch = new Map<string, Incoming>();
  let characters = 0;
  for (const entry of wantedEntries(source, wanted, tally)) {
    const name = nameOf(entry.namespace, entry.key);
    if (batch.size >= BATCH || characters >= BATCH_CHARACTERS || batch.has(name)) {
      yield { kind: 'entries', entries: [...batch.values()], characters };
      batch = new Map();
      characters = 0;
    }
    batch.set(name, entry);
    characters += entry.current.size + entry.history.reduce((sum, { size }) => sum + size, 0);
  }
  if (batch.size > 0) yield { kind: 'entries', entries: [...batch.values()], characters };
}

/** Links between wanted entries; to be read after the entries. */
export function* linkBatches(source: Source, { namespace }: Wanted): Generator<Batch & { kind: 'links' }> {
  let links: IncomingLink[] = [];
  for (const link of source.links()) {
    if (namespace !== undefined && (link.from[0] !== namespace || link.to[0] !== namespace)) continue;
    links.push(link);
    if (links.length < BATCH) continue;
    yield { kind: 'links', links, characters: 0 };
    links = [];
  }
  if (links.length > 0) yield { kind: 'links', links, characters: 0 };
}
