import type { Queries } from '../database.ts';
import { indexes } from './indexes.ts';
import { memory } from './memory.ts';
import { pendingText } from './pending-text.ts';
import { orchestration } from './orchestration.ts';
import { tables } from './tables.ts';

/** One change of the schema. The n-th migration has version n. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  /** Statements that make the change, run in one transaction with the new version number. */
  readonly up: readonly string[];
  /** What SQL cannot say, run after `up` in the same transaction. */
  readonly finish?: (queries: Queries) => Promise<void>;
  /** Statements that undo it. */
  readonly down: readonly string[];
}

/** In order of version, from 1, without gaps. A released migration is never edited: a change is a new one. */
export const MIGRATIONS: readonly Migration[] = [tables, memory, orchestration, pendingText, indexes];
