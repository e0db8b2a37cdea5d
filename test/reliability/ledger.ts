import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A write as one process meant it; `value: null` deletes, `by` supersedes. Values are never repeated. */
export interface Write {
  readonly namespace: string;
  readonly key: string;
  readonly value?: string | null;
  readonly by?: string;
}

/** What a writer notes down around each call, one JSON line each: before it, and once it was answered. */
export type Note =
  | { readonly begin: number; readonly kind: string; readonly writes: readonly Write[] }
  /** `versions` of the entries written, in order; empty for deletions and links. */
  | { readonly acknowledged: number; readonly versions: readonly number[] }
  /** Refused with `ConflictError`: nothing was written. */
  | { readonly refused: number };

export interface Call {
  readonly kind: string;
  readonly writes: readonly Write[];
  /** `unknown`: the process ended before the answer. */
  readonly outcome: 'acknowledged' | 'refused' | 'unknown';
  readonly versions: readonly number[];
}

/** The calls of one process in their order. A line that was cut off by the end of the process is no note. */
function readLedger(path: string): readonly Call[] {
  const calls: Call[] = [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  for (const line of lines) {
    const note: Note = JSON.parse(line);
    if ('begin' in note) {
      calls.push({ kind: note.kind, writes: note.writes, outcome: 'unknown', versions: [] });
      continue;
    }
    const begun = calls.pop();
    if (begun === undefined) throw new Error(`${path}: an answer without a call`);
    if ('refused' in note) calls.push({ ...begun, outcome: 'refused' });
    else calls.push({ ...begun, outcome: 'acknowledged', versions: note.versions });
  }
  return calls;
}

/** The ledgers in a folder, by the names of their writers. */
export function readLedgers(folder: string): ReadonlyMap<string, readonly Call[]> {
  const names = readdirSync(folder).filter((name) => name.endsWith('.ledger'));
  return new Map(names.map((name) => [name.slice(0, -'.ledger'.length), readLedger(join(folder, name))]));
}
