/** A copy of the whole database, beside a manifest of the same name with `.json` added. */
export interface BackupResult {
  /** Absolute path. */
  readonly path: string;
  readonly manifestPath: string;
  readonly bytes: number;
  /** Of the file, in hex. */
  readonly sha256: string;
  readonly schemaVersion: number;
  readonly entries: number;
  readonly versions: number;
  readonly createdAt: number;
}

/** How a long call is watched and stopped. */
export interface Watch {
  /** Ends the call with `CancelledError`, at the end of what is under way. */
  readonly signal?: AbortSignal | undefined;
  /** @param done 0–1 */
  readonly onProgress?: ((done: number, what: string) => void) | undefined;
}

export interface ExportOptions extends Watch {
  /** Only entries of this one; default: all but the cache. */
  readonly namespace?: string | undefined;
  /** Replace an older export; default `false`. */
  readonly overwrite?: boolean | undefined;
}

export interface ImportOptions extends Watch {
  /** Only entries of this one; default: all. */
  readonly namespace?: string | undefined;
}

/** What bringing in entries did. */
export interface AbsorbReport {
  readonly added: number;
  /** Theirs was newer, and ours became an earlier version. */
  readonly updated: number;
  /** Ours was newer, and theirs became an earlier version. */
  readonly kept: number;
  /** Both said the same. Where theirs was written later, its time and its agent, session and run count. */
  readonly unchanged: number;
  /** Of those four, how many are deleted in the source, and may be brought back. */
  readonly deleted: number;
  /** Only when the whole memory was replaced. */
  readonly removed: number;
  /** Theirs had expired, and was left out. */
  readonly expired: number;
  /** Earlier versions that are in the history now. */
  readonly versions: number;
  /** New links; where the whole memory was replaced, all of them. */
  readonly links: number;
  /** Theirs say that an entry was superseded which holds by ours, which is newer, or which supersedes the other one here. */
  readonly linksLeftOut: number;
  /** The first 20 that differed on both sides. */
  readonly conflicts: readonly { readonly namespace: string; readonly key: string; readonly kept: 'ours' | 'theirs' }[];
}

export interface RestoreResult {
  readonly report: AbsorbReport;
  /** The backup of what was there before. */
  readonly safety: string;
  /** Whether the backup had a manifest, which it agreed with; without one its pages alone were checked. */
  readonly manifest: boolean;
}

export interface ExportResult {
  /** Absolute. */
  readonly path: string;
  readonly entries: number;
  readonly versions: number;
  readonly links: number;
  readonly bytes: number;
  /** Entries and earlier versions that damage has made unreadable, and which are not in the file. */
  readonly leftOut: number;
  /** Those, and those whose tags are damaged: the first 100. */
  readonly damaged: readonly EntryVersionName[];
}

/** The vectors of one model, in one number of dimensions. */
export interface ModelVectors {
  readonly provider: string;
  readonly model: string;
  readonly dimensions: number;
  readonly vectors: number;
  /** Of the vectors alone. */
  readonly bytes: number;
}

/** Counts of all that lies in the database; the namespace `cache` with the kind `cache` is what is only cached. */
export interface MemoryStats {
  readonly entries: number;
  readonly namespaces: number;
  readonly versions: number;
  readonly links: number;
  readonly deleted: number;
  /** Expired, and not yet removed. */
  readonly expired: number;
  /** UTF-8 bytes of the current values. */
  readonly valueBytes: number;
  /** Of the database with its log; `null` when it is remote. */
  readonly fileBytes: number | null;
  readonly byNamespace: readonly { readonly namespace: string; readonly entries: number; readonly bytes: number }[];
  readonly byKind: readonly { readonly kind: string; readonly entries: number }[];
  /** Entries by when they were last written. */
  readonly byAge: { readonly day: number; readonly week: number; readonly month: number; readonly older: number };
  readonly oldestAt: number | null;
  readonly newestAt: number | null;
  readonly largest: readonly { readonly namespace: string; readonly key: string; readonly bytes: number }[];
  /** Of all namespaces; also of models that are no longer configured, whose vectors stay until `compact` is told to drop them. */
  readonly vectors: readonly ModelVectors[];
}

export interface EntryVersionName {
  readonly namespace: string;
  readonly key: string;
  readonly version: number;
}

export interface Finding {
  readonly check: 'integrity' | 'schema' | 'orphans' | 'full-text' | 'change log' | 'vectors' | 'values';
  readonly status: 'ok' | 'wrong' | 'repaired' | 'not checked';
  readonly detail: string;
  /** What is damaged, at most 100; absent where it is about no entry. */
  readonly entries?: readonly EntryVersionName[];
}

export interface DoctorReport {
  readonly ok: boolean;
  readonly findings: readonly Finding[];
  /** The backup made before repairing; `null` when nothing was repaired. */
  readonly backup: string | null;
}

/** An entry that was deleted because another one of its namespace says the same. */
export interface RepeatedEntry {
  readonly namespace: string;
  readonly key: string;
  /** Key of the other one. */
  readonly kept: string;
}

export interface CompactReport {
  readonly expired: number;
  readonly purged: number;
  readonly versions: number;
  readonly duplicates: number;
  /** The first 20 of those. */
  readonly repeated: readonly RepeatedEntry[];
  readonly vectors: number;
  readonly bytesBefore: number | null;
  readonly bytesAfter: number | null;
}

export interface SnapshotInfo {
  readonly name: string;
  readonly path: string;
  readonly createdAt: number;
  readonly entries: number;
  readonly bytes: number;
}

/** What restoring a snapshot changed, by table. */
export interface SnapshotDifference {
  readonly what: 'memory' | 'swarms' | 'agents' | 'tasks';
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
}

/** Keeps a project's memory safe, small and portable. Paths are absolute or relative to the project; see each for where they may lie. */
export interface Care {
  /**
   * Copies the database while others use it, checks the copy, then puts it in its place with a manifest.
   * @param path default: `.skillflow/backups/<time>.db`. An existing file is refused (`ConflictError`).
   */
  backup(path?: string): Promise<BackupResult>;
  /**
   * Replaces the memory by a backup's, in one transaction that first makes a backup of what is there: all that was ever
   * committed is in that backup or in the database. The cache is left as it is. Until it ends, others can read but not
   * write; cancelled, it changes nothing.
   */
  restore(path: string, watch?: Watch): Promise<RestoreResult>;
  /**
   * Writes all entries with versions and links as JSON lines, without the cache unless its namespace is asked for; a whole
   * file or none. An existing file is refused (`InvalidInputError`), with `overwrite` all but an older export.
   */
  export(path: string, options?: ExportOptions): Promise<ExportResult>;
  /**
   * Reads what {@link Care.export} wrote; a line that is wrong is named before anything changes. Others can write
   * meanwhile: entries come in by many short transactions, each whole in itself. Stopped half-way, it leaves what it has
   * brought in and says how much; the same call again goes on, and ends as one that was not stopped. Newest wins also
   * between writing, deleting and bringing back. The removal of a link has no time: one that was removed here comes back
   * with a copy that has it, unless it says that an entry was superseded which holds by what was written here since.
   */
  import(path: string, options?: ImportOptions): Promise<AbsorbReport>;
  /**
   * Brings in the memory of another Skillflow database, without its cache: the newest version of an entry wins, the other
   * becomes history. In many short transactions, as {@link Care.import}.
   */
  merge(path: string, watch?: Watch): Promise<AbsorbReport>;
  /** Removes what is expired, deleted for longer than `deletedDays`, old versions, unused vectors; then gives the space back. */
  compact(options?: {
    readonly namespace?: string;
    /** Default 30. */
    readonly deletedDays?: number;
    /** Versions kept of an entry besides the current one; default 100. */
    readonly keepVersions?: number;
    /**
     * Delete entries that repeat the value of another one in their namespace, which holds now and for at least as long; of
     * two that hold as long the older. Not what is cached. Default `false`.
     */
    readonly dedupe?: boolean;
    /** Remove the vectors of this model too, whichever is configured; default: none. `NotFoundError` when there are none of it. */
    readonly dropModel?: string;
  }): Promise<CompactReport>;
  stats(namespace?: string): Promise<MemoryStats>;
  doctor(options?: { readonly repair?: boolean }): Promise<DoctorReport>;
  /** Moves everything committed from the log into the file and syncs it. */
  persist(): Promise<{ readonly entries: number; readonly framesLeft: number; readonly bytes: number }>;
  /** Keeps the state of memory, swarms, agents and tasks under a name; not what is cached. */
  snapshot(name?: string): Promise<SnapshotInfo>;
  snapshots(): Promise<readonly SnapshotInfo[]>;
  /** Goes back to a snapshot as {@link Care.restore} does. */
  restoreSnapshot(
    name: string,
    watch?: Watch,
  ): Promise<{ readonly differences: readonly SnapshotDifference[]; readonly safety: string }>;
}
