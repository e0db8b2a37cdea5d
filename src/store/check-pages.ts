import type { Row, SqlValue } from './database.ts';
import { textBytes, textOf } from './row.ts';
import { isIndexDamage } from './sqlite-failure.ts';

/** What SQLite says of a file's pages. */
export interface PagesVerdict {
  /** Of what cannot be made anew; empty when it is sound. */
  readonly damage: readonly string[];
  /** Of the full-text index, which is made from the entries. */
  readonly fullText: readonly string[];
}

type Ask = (sql: string, params?: readonly SqlValue[]) => Promise<readonly Row[]>;

/** SQLite's check of all tables at once builds the full-text index's module first, and ends where that fails. */
const TABLES = `SELECT 'sqlite_schema' AS name UNION ALL
  SELECT ${textBytes('name')} FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name NOT GLOB 'memory_fts*'`;

/**
 * SQLite's own check of a file. Where the full-text index is so broken that the check cannot run, the tables are checked
 * one by one without it; pages that belong to none of them are then not looked at.
 * @param kind `quick_check` does not compare indexes with their tables
 * @param ask runs a statement on the file
 * Errors: those of `ask`.
 */
export async function checkPages(kind: 'quick_check' | 'integrity_check', ask: Ask): Promise<PagesVerdict> {
  const linesOf = (rows: readonly Row[]): readonly string[] =>
    rows.map((row) => textOf(row, kind)).filter((line) => line !== 'ok');
  try {
    const lines = linesOf(await ask(`PRAGMA ${kind}`));
    return {
      damage: lines.filter((line) => !line.includes('memory_fts')),
      fullText: lines.filter((line) => line.includes('memory_fts')),
    };
  } catch (error) {
    if (!isIndexDamage(error)) throw error;
    const damage: string[] = [];
    for (const row of await ask(TABLES)) {
      damage.push(...linesOf(await ask(`SELECT ${kind} FROM pragma_${kind}(?)`, [textOf(row, 'name')])));
    }
    return { damage, fullText: [error.message] };
  }
}
