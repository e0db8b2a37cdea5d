import type { Kind, Mix } from './writer.ts';

/** What a worker does. */
export interface Task {
  /** The database. */
  readonly path: string;
  /** Where it notes its calls down; `null`: nowhere. */
  readonly ledger: string | null;
  /** Also the namespace it owns. */
  readonly name: string;
  readonly seed: number;
  readonly calls: number;
  readonly mix: Mix;
  /** Whether it waits for `go` once it has opened the database. */
  readonly waits: boolean;
  /** It tells the others of a write each so many calls; 0: never. */
  readonly tellEvery: number;
  /** It closes the database and opens it again each so many calls, as one short command after the other; 0: never. */
  readonly reopenEvery: number;
}

export interface Told {
  readonly key: string;
  readonly version: number;
  readonly token: string;
}

export interface Report {
  readonly errors: readonly string[];
  /** Milliseconds of each call. */
  readonly latencies: readonly (readonly [Kind, number])[];
  /** Writes of others that it was told of and looked for. */
  readonly seen: number;
}

export type ToWorker = { readonly go: true } | { readonly see: Told };
export type ToParent = { readonly ready: true } | { readonly told: Told } | { readonly report: Report };
