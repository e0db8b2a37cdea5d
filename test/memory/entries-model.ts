import type { JsonValue } from '../../src/memory/value.ts';

/** What the model says of one version. */
export interface Said {
  readonly value: JsonValue;
  readonly tags: readonly string[];
  readonly ended: boolean;
}

export interface Modelled {
  /** By version number. */
  readonly versions: Map<number, Said>;
  readonly version: number;
  readonly deleted: boolean;
  readonly expiresAt: number | null;
}

const MOST_VERSIONS = 101;

/** What a memory should do, in the plainest way. Names are keys of one namespace each. */
export class EntriesModel {
  readonly entries = new Map<string, Modelled>();
  now = 0;

  isThere(name: string): boolean {
    const entry = this.entries.get(name);
    return entry !== undefined && !entry.deleted && !this.hasExpired(entry);
  }

  hasExpired({ expiresAt }: Modelled): boolean {
    return expiresAt !== null && expiresAt <= this.now;
  }

  current(name: string): Said | undefined {
    const entry = this.entries.get(name);
    return entry?.versions.get(entry.version);
  }

  /** Those that a value gets which is stored without any. */
  tagsOf(name: string): readonly string[] {
    return this.isThere(name) ? (this.current(name)?.tags ?? []) : [];
  }

  store(name: string, said: Said, ttlMs: number | null, version: number): void {
    const old = this.entries.get(name);
    const expiresAt = ttlMs === null ? null : this.now + ttlMs;
    if (old !== undefined && this.isThere(name) && JSON.stringify(this.current(name)) === JSON.stringify(said)) {
      this.entries.set(name, { ...old, expiresAt });
      return;
    }
    const kept = version === 1 ? new Map<number, Said>() : new Map(old?.versions);
    kept.set(version, said);
    kept.delete(version - MOST_VERSIONS);
    this.entries.set(name, { versions: kept, version, deleted: false, expiresAt });
  }

  /** The version that a store must answer with; what has expired is forgotten. */
  next(name: string, said: Said): number {
    const old = this.entries.get(name);
    if (old === undefined || this.hasExpired(old)) return 1;
    return this.isThere(name) && JSON.stringify(this.current(name)) === JSON.stringify(said) ? old.version : old.version + 1;
  }

  /** What superseded it has gone, or has come back: a version that differs in nothing else. */
  toggleEnded(name: string): void {
    const entry = this.entries.get(name);
    const said = this.current(name);
    if (entry === undefined || said === undefined) return;
    const version = entry.version + 1;
    const versions = new Map(entry.versions).set(version, { ...said, ended: !said.ended });
    versions.delete(version - MOST_VERSIONS);
    this.entries.set(name, { ...entry, versions, version });
  }

  setDeleted(name: string, deleted: boolean): void {
    const entry = this.entries.get(name);
    if (entry !== undefined) this.entries.set(name, { ...entry, deleted });
  }
}
