/** What to look at. Exactly one of the members is set; none means: uncommitted changes, else the last commits, else the tree. */
export interface Selection {
  /** Changes since the merge base of this revision and HEAD, as the working tree has them, untracked files included. */
  readonly base?: string;
  /** Changes of the last N commits (1–10,000), from the root commit where there are fewer. */
  readonly last?: number;
  /** What is staged for commit, read from the index. */
  readonly staged?: boolean;
  /** These paths: files, or folders with all below. Relative to the project root or absolute, inside the root. */
  readonly files?: readonly string[];
  /** The whole tree. */
  readonly tree?: boolean;
}

/** Lines from 1, both ends inclusive. */
export interface LineRange {
  readonly start: number;
  readonly end: number;
}

/** A language that analyzers know by name; other text files are `text`. */
export type Language = 'javascript' | 'jsx' | 'typescript' | 'tsx' | 'python' | 'text';

/** One file to look at. */
export interface SourceFile {
  /** From the project root, `/`-separated. */
  readonly path: string;
  /** Absolute, real path; its text may differ from the one under review when `text` is set. */
  readonly absolutePath: string;
  readonly language: Language;
  readonly bytes: number;
  readonly status: 'added' | 'modified' | 'renamed' | 'untracked' | 'whole';
  /** The lines that the change added or modified; `all` for a new file or when the whole file is under review. */
  readonly changed: 'all' | readonly LineRange[];
  /** The text under review where it is not what the disk holds (staged content). */
  readonly text?: string;
  /** Of the content that the disk held when it was looked at, see `analysis/content-mark.ts`; absent where `text` is there. */
  readonly mark?: string;
}

export type SkipReason =
  | 'binary'
  | 'generated'
  | 'vendored'
  | 'huge'
  | 'deleted'
  | 'submodule'
  | 'symlink'
  | 'outside_root'
  | 'invalid_utf8'
  | 'unreadable';

/** A file that was asked for and not looked at. */
export interface SkippedFile {
  readonly path: string;
  readonly reason: SkipReason;
}

/** What git says of the project; `null` in {@link ChangeSet} when the project is not in a git repository. */
export interface GitState {
  /** The repository's top folder, real path. */
  readonly top: string;
  /** Full hash of HEAD, or `null` before the first commit. */
  readonly head: string | null;
  /** Branch name, or `null` when HEAD is detached. */
  readonly branch: string | null;
  readonly shallow: boolean;
}

/** What a run looks at. Plain data: it can be stored and sent to a worker. */
export interface ChangeSet {
  /** The project root, real path. */
  readonly root: string;
  readonly mode: 'base' | 'last' | 'staged' | 'uncommitted' | 'files' | 'tree';
  /** The revision compared with, full hash, where there is one; the empty tree's hash when from the root commit. */
  readonly base: string | null;
  readonly git: GitState | null;
  /** Sorted by path. */
  readonly files: readonly SourceFile[];
  readonly skipped: readonly SkippedFile[];
  /** What limits the answer: a shallow clone, no git, fewer commits than asked for. */
  readonly notes: readonly { readonly code: string; readonly message: string }[];
}
