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

/** What bringing in entries did. */
export interface AbsorbReport {
  readonly added: number;
  /** Theirs was newer, and ours became an earlier version. */
  readonly updated: number;
  /** Ours was newer, and theirs became an earlier version. */
  readonly kept: number;
  readonly unchanged: number;
  /** Only when the whole memory was replaced. */
  readonly removed: number;
  /** Theirs had expired, and was left out. */
  readonly expired: number;
  /** Earlier versions that are in the history now. */
  readonly versions: number;
  /** New links; where the whole memory was replaced, all of them. */
  readonly links: number;
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
}

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
}

export interface Finding {
  readonly check: 'integrity' | 'orphans' | 'full-text' | 'change log' | 'vectors' | 'values';
  readonly status: 'ok' | 'wrong' | 'repaired' | 'not checked';
  readonly detail: string;
}

export interface DoctorReport {
  readonly ok: boolean;
  readonly findings: readonly Finding[];
  /** The backup made before repairing; `null` when nothing was repaired. */
  readonly backup: string | null;
}

export interface CompactReport {
  readonly expired: number;
  readonly purged: number;
  readonly versions: number;
  readonly duplicates: number;
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
  /** Replaces the memory by a backup's, in one transaction, after making a backup of what is there. */
  restore(path: string): Promise<RestoreResult>;
  /** Writes all entries with versions and links as JSON lines; a whole file or none. */
  export(path: string, namespace?: string): Promise<ExportResult>;
  /** Reads what {@link Care.export} wrote, in one transaction; a line that is wrong is named and nothing changes. */
  import(path: string, options?: { readonly namespace?: string }): Promise<AbsorbReport>;
  /** Brings in the memory of another Skillflow database: the newest version of an entry wins, the other becomes history. */
  merge(path: string): Promise<AbsorbReport>;
  /** Removes what is expired, deleted for longer than `deletedDays`, old versions, unused vectors; then gives the space back. */
  compact(options?: {
    readonly namespace?: string;
    /** Default 30. */
    readonly deletedDays?: number;
    /** Versions kept of an entry besides the current one; default 100. */
    readonly keepVersions?: number;
    /** Delete entries that repeat the value of a newer one in their namespace; default `false`. */
    readonly dedupe?: boolean;
  }): Promise<CompactReport>;
  stats(namespace?: string): Promise<MemoryStats>;
  doctor(options?: { readonly repair?: boolean }): Promise<DoctorReport>;
  /** Moves everything committed from the log into the file and syncs it. */
  persist(): Promise<{ readonly entries: number; readonly framesLeft: number; readonly bytes: number }>;
  /** Keeps the state of memory, swarms, agents and tasks under a name. */
  snapshot(name?: string): Promise<SnapshotInfo>;
  snapshots(): Promise<readonly SnapshotInfo[]>;
  /** Goes back to a snapshot, in one transaction, after making a backup of what is there. */
  restoreSnapshot(name: string): Promise<{ readonly differences: readonly SnapshotDifference[]; readonly safety: string }>;
}
