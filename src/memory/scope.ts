import type { SqlValue } from '../store/database.ts';

/** Which entries a call is about: a condition in SQL on `memory_entry m`, and its positional parameters. */
export interface Scope {
  readonly sql: string;
  readonly params: readonly SqlValue[];
}
