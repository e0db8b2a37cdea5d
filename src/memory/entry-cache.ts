import type { MemoryEntry } from './entry.ts';
import { nameOf } from './entry-name.ts';
import { decodeValue } from './value.ts';

/** Entries kept in RAM, each with its stored text, since a decoded value could be changed by who got it. */
interface Kept {
  readonly entry: MemoryEntry;
  /** JSON to decode anew for each reader; `null`: the entry's value is text. */
  readonly json: string | null;
  readonly name: string;
  readonly cost: number;
  /** Whether it was read since it last had its turn to go. */
  isUsed: boolean;
}

/** Bytes that an entry takes beside its text, roughly. */
const OVERHEAD_BYTES = 1024;

export interface EntryCacheLimits {
  /** Bytes of RAM, estimated. */
  readonly maxBytes: number;
  readonly maxEntries: number;
}

/** The entries read lately, by {@link nameOf}. */
export interface EntryCache {
  has(name: string): boolean;
  get(name: string): MemoryEntry | undefined;
  /** @param text the value as it is stored */
  put(entry: MemoryEntry, text: string): void;
  dropId(id: number): void;
  clear(): void;
  /** Estimated bytes in use. */
  readonly bytes: number;
  readonly size: number;
}

export function createEntryCache({ maxBytes, maxEntries }: EntryCacheLimits): EntryCache {
  /** In the order in which they may go: who was used meanwhile goes to the end instead, which costs a reader nothing. */
  const byName = new Map<string, Kept>();
  const nameById = new Map<number, string>();
  let bytes = 0;

  const drop = (kept: Kept): void => {
    byName.delete(kept.name);
    nameById.delete(kept.entry.id);
    bytes -= kept.cost;
  };
  return {
    has: (name) => byName.has(name),
    get: (name) => {
      const kept = byName.get(name);
      if (kept === undefined) return undefined;
      kept.isUsed = true;
      return kept.json === null ? kept.entry : { ...kept.entry, value: decodeValue('json', kept.json) };
    },
    put: (entry, text) => {
      // Text with one character outside Latin-1 takes two bytes for each.
      const cost = OVERHEAD_BYTES + 2 * text.length;
      if (cost > maxBytes / 4) return;
      const name = nameOf(entry.namespace, entry.key);
      const before = byName.get(name);
      if (before !== undefined) drop(before);
      const kept: Kept = {
        entry: entry.format === 'json' ? { ...entry, value: null } : Object.freeze(entry),
        json: entry.format === 'json' ? text : null,
        name,
        cost,
        isUsed: false,
      };
      byName.set(name, kept);
      nameById.set(entry.id, name);
      bytes += cost;
      for (const oldest of byName.values()) {
        if (bytes <= maxBytes && byName.size <= maxEntries) break;
        if (oldest.isUsed) {
          oldest.isUsed = false;
          byName.delete(oldest.name);
          byName.set(oldest.name, oldest);
        } else if (oldest !== kept) drop(oldest);
      }
    },
    dropId: (id) => {
      const kept = byName.get(nameById.get(id) ?? '');
      if (kept !== undefined) drop(kept);
    },
    clear: () => {
      byName.clear();
      nameById.clear();
      bytes = 0;
    },
    get bytes() {
      return bytes;
    },
    get size() {
      return byName.size;
    },
  };
}
