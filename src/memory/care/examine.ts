import { DatabaseDamagedError, SkillflowError } from '../../errors.ts';
import { NOT_CHECKED, type Database, type Queries, type SqlValue } from '../../store/database.ts';
import { numberOf } from '../../store/row.ts';
import { checkPages, type PagesVerdict } from '../../store/check-pages.ts';
import { runApart } from '../../store/run-apart.ts';
import { isIndexDamage } from '../../store/sqlite-failure.ts';
import type { Finding } from './care.ts';
import type { Examined } from './examined.ts';
import { vectorModels } from './vector-models.ts';

interface Check {
  (db: Database): Promise<readonly Examined[]>;
  readonly about: Finding['check'];
}

type Outcome = Omit<Examined, 'check'>;

function check(about: Finding['check'], examine: (db: Database) => Promise<Outcome | readonly Outcome[]>): Check {
  const run = async (db: Database): Promise<readonly Examined[]> =>
    [await examine(db)].flat().map((outcome) => ({ check: about, ...outcome }));
  return Object.assign(run, { about });
}

async function count(queries: Queries, sql: string, params: readonly SqlValue[] = []): Promise<number> {
  return numberOf((await queries.get(`SELECT count(*) AS n FROM ${sql}`, params)) ?? {}, 'n');
}

const SOME = 5;

/** What SQLite's check says; of a file on a thread of its own, since it reads all of it. */
async function verdictOf(db: Database, key: string | undefined): Promise<PagesVerdict | undefined> {
  if (db.kind === 'file') {
    return checkPages('integrity_check', (sql, params) => runApart({ path: db.path, mode: 'read', key }, sql, params));
  }
  const lines = (await db.integrity()).split('\n').filter((line) => line !== 'ok');
  if (lines[0] === NOT_CHECKED) return undefined;
  const isFullText = (line: string): boolean => line.includes('memory_fts');
  return { damage: lines.filter((line) => !isFullText(line)), fullText: lines.filter(isFullText) };
}

/** SQLite's own check of every page and index. The full-text index is reported apart, since it can be made anew. */
export async function checkIntegrity(
  db: Database,
  key: string | undefined,
): Promise<{ readonly finding: Examined; readonly fullText: readonly string[] }> {
  const finding = (status: Finding['status'], detail: string): Examined => ({ check: 'integrity', status, detail });
  try {
    const verdict = await verdictOf(db, key);
    if (verdict === undefined) return { finding: finding('not checked', NOT_CHECKED), fullText: [] };
    const { damage, fullText } = verdict;
    if (damage.length === 0) return { finding: finding('ok', 'every page and index is sound'), fullText };
    const detail = `SQLite reports damage, which is not repaired: ${damage.slice(0, SOME).join('; ')}. Restore a backup into a new database; one made now is only kept if the copy is sound.`;
    return { finding: finding('wrong', detail), fullText };
  } catch (error) {
    if (!(error instanceof SkillflowError)) throw error;
    if (isIndexDamage(error)) return { finding: finding('not checked', error.message), fullText: [error.message] };
    if (!(error instanceof DatabaseDamagedError)) return { finding: finding('not checked', error.message), fullText: [] };
    return { finding: finding('wrong', `${error.message}. ${error.hint ?? ''}`), fullText: [] };
  }
}

const VERSION_ORPHANS = 'memory_version WHERE NOT EXISTS (SELECT 1 FROM memory_entry e WHERE e.id = entry_id)';
const LINK_ORPHANS = `memory_link WHERE NOT EXISTS (SELECT 1 FROM memory_entry e WHERE e.id = from_id)
  OR NOT EXISTS (SELECT 1 FROM memory_entry e WHERE e.id = to_id)`;
const SPACE_ORPHANS = 'embedding WHERE NOT EXISTS (SELECT 1 FROM embedding_space s WHERE s.id = space_id)';

export const checkOrphans = check('orphans', async (db) => {
  const versions = await count(db, VERSION_ORPHANS);
  const links = await count(db, LINK_ORPHANS);
  const vectors = await count(db, SPACE_ORPHANS);
  if (versions + links + vectors === 0) return { status: 'ok', detail: 'every version, link and vector belongs to something' };
  return {
    status: 'wrong',
    detail: `${versions} versions, ${links} links and ${vectors} vectors belong to nothing`,
    repair: async (queries) => {
      for (const orphans of [VERSION_ORPHANS, LINK_ORPHANS, SPACE_ORPHANS]) await queries.run(`DELETE FROM ${orphans}`);
      return 'they were removed';
    },
  };
});

/** Entries without any change, as long as the log has all of them; and those whose last change is a wrong one. */
const UNLOGGED = `memory_entry e LEFT JOIN (SELECT entry_id, max(seq) AS seq FROM chg GROUP BY entry_id) last ON last.entry_id = e.id
  LEFT JOIN chg ON chg.seq = last.seq
  WHERE CASE WHEN chg.seq IS NULL THEN coalesce((SELECT min(seq) FROM chg), 1) <= 1
    ELSE (chg.op = 'delete') <> (e.deleted_at IS NOT NULL) END`;
const VANISHED = `(SELECT entry_id, max(seq) AS seq FROM chg GROUP BY entry_id) last JOIN chg ON chg.seq = last.seq
  WHERE chg.op <> 'delete' AND NOT EXISTS (SELECT 1 FROM memory_entry e WHERE e.id = last.entry_id)`;

export const checkChanges = check('change log', async (db) => {
  const unlogged = await count(db, UNLOGGED);
  const vanished = await count(db, VANISHED);
  if (unlogged + vanished === 0) return { status: 'ok', detail: 'the log of changes agrees with the entries' };
  return {
    status: 'wrong',
    detail: `the last change of ${unlogged} entries is not logged, and ${vanished} vanished without one`,
    repair: async (queries) => {
      await queries.run(
        `INSERT INTO chg (entry_id, op) SELECT e.id, CASE WHEN e.deleted_at IS NULL THEN 'update' ELSE 'delete' END FROM ${UNLOGGED}`,
      );
      await queries.run(`INSERT INTO chg (entry_id, op) SELECT last.entry_id, 'delete' FROM ${VANISHED}`);
      return 'the changes were logged';
    },
  };
});

const MISSHAPEN = `embedding WHERE EXISTS (
  SELECT 1 FROM embedding_space s WHERE s.id = space_id AND octet_length(vector) <> 4 * s.dimensions)`;
const UNUSED = 'embedding WHERE NOT EXISTS (SELECT 1 FROM memory_entry e WHERE e.hash = embedding.hash)';

export const checkVectors = check('vectors', async (db) => {
  const misshapen = await count(db, MISSHAPEN);
  const unused = await count(db, UNUSED);
  const models = (await vectorModels(db)).map(
    ({ provider, model, dimensions, vectors, bytes }) =>
      `${provider} ${model} (${dimensions} dimensions): ${vectors}, ${bytes} bytes`,
  );
  const others =
    models.length < 2 ? '' : '; skillflow memory compact --drop-model removes those of a model that is no longer used';
  const list = models.length === 0 ? '' : `; ${models.join(', ')}${others}`;
  const note = unused === 0 ? list : `${list}; ${unused} belong to no current value (compacting removes them)`;
  if (misshapen === 0) return { status: 'ok', detail: `every vector has the length of its space${note}` };
  return {
    status: 'wrong',
    detail: `${misshapen} vectors do not have the length of their space${note}`,
    repair: async (queries) => {
      await queries.run(`DELETE FROM ${MISSHAPEN}`);
      return 'they were removed, and will be made anew';
    },
  };
});
