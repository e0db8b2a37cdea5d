import type { Queries } from '../../store/database.ts';
import type { Finding } from './care.ts';

/** A finding, and how it can be repaired. */
export interface Examined extends Finding {
  /** Inside a transaction; says what was done. */
  readonly repair?: (queries: Queries) => Promise<string>;
}
