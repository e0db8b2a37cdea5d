import type { Runtime } from '../runtime.ts';
import type { Database } from '../store/database.ts';
import { deleteEntry, deleteNamespace, purgeEntry, undeleteEntry, undeleteNamespace } from './delete-entry.ts';
import type { MemoryContext } from './memory-context.ts';
import type { ListedEntry, MemoryEntry } from './entry.ts';
import { createCachedEntries } from './get-entry.ts';
import { link, links, supersede, unlink } from './links.ts';
import { listEntries, listNamespaces } from './list-entries.ts';
import type { SearchAnswer, SearchInput } from './search/answer.ts';
import { createSearch } from './search/search.ts';
import { storeEntries, storeEntry } from './store-entries.ts';
import { createUpkeep } from './upkeep.ts';
import type { JsonValue } from './value.ts';
import { diff, getVersion, history, revert } from './versions.ts';

/** Names one entry. */
export interface EntryName {
  /** 1 to 512 bytes; default `default`. */
  readonly namespace?: string | undefined;
  /** 1 to 512 bytes. */
  readonly key: string;
}

export interface StoreInput extends EntryName {
  /** At most 1 MiB as stored. Text comes back as the same text, also when it looks like JSON. */
  readonly value: JsonValue;
  /** Seconds until the entry is gone, 0.001 to a hundred years, exact to the millisecond; default: it stays. */
  readonly ttlSeconds?: number | undefined;
  /** At most 64, each 1 to 512 bytes; default: those of the entry that is there, else none. An empty list takes them away. */
  readonly tags?: readonly string[] | undefined;
  /** 1 to 64 bytes; default: that of the entry that is there, else `note`. */
  readonly kind?: string | undefined;
  /** 0 to 1; default: that of the entry that is there, else 0.5. */
  readonly importance?: number | undefined;
  readonly agent?: string | undefined;
  readonly session?: string | undefined;
  readonly run?: string | undefined;
  /** Milliseconds since the epoch; `validFrom` before `validTo`. */
  readonly validFrom?: number | undefined;
  readonly validTo?: number | undefined;
  /** Store only if the entry has this version, 0 for "there is none": else `ConflictError`, and nothing changes. */
  readonly ifVersion?: number | undefined;
}

export interface StoreResult {
  readonly namespace: string;
  readonly key: string;
  readonly id: number;
  /** 1 when created. Storing the very same content again makes no version. */
  readonly version: number;
  /** `false` when there was an entry of that name. */
  readonly created: boolean;
  /** UTF-8 bytes of the stored value. */
  readonly bytes: number;
  readonly updatedAt: number;
  readonly expiresAt: number | null;
  /** Keys of the namespace's other entries with the same value, at most 10. */
  readonly duplicates: readonly string[];
}

export interface ListInput {
  /** Default: all. */
  readonly namespace?: string | undefined;
  /** Only keys that start with this; default all. */
  readonly prefix?: string | undefined;
  /** Only keys like this: `*` is any text, `?` any character; default all. */
  readonly keys?: string | undefined;
  readonly kind?: string | undefined;
  readonly tag?: string | undefined;
  /** Deleted entries that can still be brought back, instead of those that are there; default `false`. */
  readonly deleted?: boolean | undefined;
  /** 1 to 1,000; default 50. */
  readonly limit?: number | undefined;
  /** Entries skipped; default 0. */
  readonly offset?: number | undefined;
}

export interface ListAnswer {
  /** By namespace, then key; without values. Empty when nothing matches. */
  readonly entries: readonly ListedEntry[];
  /** Entries without `limit` and `offset`. */
  readonly total: number;
}

export interface NamespaceSummary {
  readonly namespace: string;
  readonly entries: number;
  /** UTF-8 bytes of the stored values. */
  readonly bytes: number;
  /** Of the newest entry. */
  readonly updatedAt: number;
}

/** One version of an entry; the current one has the entry's own version. */
export interface EntryVersion extends Omit<ListedEntry, 'createdAt'> {
  readonly current: boolean;
  /** What ended the validity of the entry with this version; `null`: nothing, or it is gone. */
  readonly supersededBy: Superseding | null;
}

export interface Superseding {
  readonly namespace: string;
  readonly key: string;
  readonly reason: string | null;
}

/** What differs between two versions. */
export interface VersionDiff {
  readonly from: number;
  readonly to: number;
  /** Names of the fields that differ, `value` first. Empty when nothing does. */
  readonly changed: readonly string[];
  /** The values as text, JSON with two spaces of indentation, compared by lines: `unified` format, 3 lines of context. */
  readonly value: string;
}

export interface EntryLink {
  /** `from`: the named entry links to the other one; `to`: it is linked from it. */
  readonly direction: 'from' | 'to';
  readonly kind: string;
  readonly reason: string | null;
  readonly namespace: string;
  readonly key: string;
  readonly id: number;
  readonly createdAt: number;
  /** `false` of a link by which one entry supersedes another that has been stored anew since, and holds again. */
  readonly holds: boolean;
}

/**
 * A project's memory: named values that every process of the project shares. An entry is invisible from the millisecond
 * it expires. Errors: `InvalidInputError` naming the parameter; `NotFoundError` where an entry or a version must exist;
 * those of {@link Database}.
 */
export interface Memory {
  /**
   * Stores a value; what an entry of that name said before becomes an earlier version of it, at most 100 of which are
   * kept. Tags, kind and importance describe the entry, and stay unless others are given; everything else belongs to the
   * write. A deleted entry of that name comes back with its versions, but nothing of its description. Once an entry has
   * expired, its versions are gone too.
   */
  store(input: StoreInput): Promise<StoreResult>;
  /** Up to 10,000 at once, all or none, in one transaction. */
  storeMany(inputs: readonly StoreInput[]): Promise<readonly StoreResult[]>;
  /** The entry, or `undefined`. */
  get(name: EntryName): Promise<MemoryEntry | undefined>;
  /** One version of it, the current one included, or `undefined`. */
  getVersion(name: EntryName, version: number): Promise<MemoryEntry | undefined>;
  list(input?: ListInput): Promise<ListAnswer>;
  /** Newest version first. Throws `NotFoundError` without such an entry. */
  history(name: EntryName): Promise<readonly EntryVersion[]>;
  diff(name: EntryName, from: number, to: number): Promise<VersionDiff>;
  /** Makes a new version that says what an earlier one said. */
  revert(name: EntryName, version: number): Promise<StoreResult>;
  /**
   * Says that `by` is what holds now instead of `name`: ends the validity of `name` and links the two. Both must exist;
   * an entry cannot supersede itself (`InvalidInputError`), also not through others (`ConflictError`). Once `by` has
   * expired, `name` is valid again from the next write on, unless something else supersedes it.
   */
  supersede(name: EntryName, by: EntryName, reason?: string): Promise<void>;
  /** Links two entries; `kind` is one word, 1 to 64 bytes. Whether it is new. */
  link(from: EntryName, to: EntryName, kind: string, reason?: string): Promise<boolean>;
  /** Whether there was such a link. An entry is valid again without the link by which another supersedes it. */
  unlink(from: EntryName, to: EntryName, kind: string): Promise<boolean>;
  links(name: EntryName): Promise<readonly EntryLink[]>;
  /**
   * Deletes an entry so that it can be brought back until it is purged. Whether there was one. What it superseded, and
   * nothing else supersedes, is valid again until it comes back.
   */
  delete(name: EntryName): Promise<boolean>;
  /**
   * Brings a deleted entry back, as a new version that says the same: a copy made while it was deleted is older than that.
   * Throws `NotFoundError` when none of that name was deleted.
   */
  undelete(name: EntryName): Promise<StoreResult>;
  /**
   * Removes an entry, deleted or not, with its versions and links, for good; with `kind`, only if it is of that kind.
   * Whether there was one.
   */
  purge(name: EntryName & { readonly kind?: string | undefined }): Promise<boolean>;
  /** Deletes all entries of a namespace; how many. They can be brought back. */
  deleteNamespace(namespace: string): Promise<number>;
  /** Brings back all deleted entries of a namespace, also those that were deleted one by one; how many. */
  undeleteNamespace(namespace: string): Promise<number>;
  /** Looks for words in keys, values and tags; see `search/`. */
  search(input: SearchInput): Promise<SearchAnswer>;
  /** The namespaces that have entries, by name. */
  namespaces(): Promise<readonly NamespaceSummary[]>;
}

export interface MemoryDeps {
  /** Opens the project's database, once a call has been found valid. */
  readonly open: () => Promise<Database>;
  readonly runtime: Runtime;
  /** Default: a search of its own, by words alone. */
  readonly search?: (input: SearchInput) => Promise<SearchAnswer>;
}

/**
 * The memory of the project whose database `open` opens. It holds a cache of what was read last: one for all calls of a
 * process is the quickest.
 */
export function createMemory({ open, runtime, search }: MemoryDeps): Memory {
  const upkeep = createUpkeep(runtime);
  const context: MemoryContext = {
    open,
    runtime,
    write: async (rows, body) => {
      const db = await open();
      return db.write(async (queries) => {
        const now = runtime.now(); // under the lock: the time to live starts when the entry is there
        const result = await body(queries, now);
        await upkeep(queries, now, rows);
        return result;
      });
    },
  };
  const cached = createCachedEntries(open, runtime);
  const ownSearch = createSearch({ open, runtime });
  return {
    store: (input) => storeEntry(context, input),
    storeMany: (inputs) => storeEntries(context, inputs),
    get: (name) => cached.get(name),
    getVersion: (name, version) => getVersion(context, name, version),
    list: (input = {}) => listEntries(context, input),
    history: (name) => history(context, name),
    diff: (name, from, to) => diff(context, name, from, to),
    revert: (name, version) => revert(context, name, version),
    supersede: (name, by, reason) => supersede(context, name, by, reason),
    link: (from, to, kind, reason) => link(context, from, to, kind, reason),
    unlink: (from, to, kind) => unlink(context, from, to, kind),
    links: (name) => links(context, name),
    delete: (name) => deleteEntry(context, name),
    undelete: (name) => undeleteEntry(context, name),
    purge: (name) => purgeEntry(context, name),
    deleteNamespace: (namespace) => deleteNamespace(context, namespace),
    undeleteNamespace: (namespace) => undeleteNamespace(context, namespace),
    search: search ?? ((input) => ownSearch.search(input)),
    namespaces: () => listNamespaces(context),
  };
}
