import { NotSupportedError, SkillflowError } from '../../errors.ts';
import type { Database } from '../../store/database.ts';
import { expectedSchema, readSchema } from '../../store/schema.ts';
import { backUpBefore } from './backup.ts';
import type { DoctorReport, Finding } from './care.ts';
import { isAbsent, isRemote, type CareDeps } from './care-deps.ts';
import { checkChanges, checkIntegrity, checkOrphans, checkVectors } from './examine.ts';
import { checkValues } from './check-values.ts';
import type { Examined } from './examined.ts';
import { checkFullText } from './full-text.ts';
import { openMended, type OpenMended } from './open-mended.ts';
import { checkStructure } from './structure.ts';

type Check = typeof checkOrphans;

/** One check; damage that it meets on its way does not keep the others from answering. */
async function examineOne(db: Database, check: Check): Promise<readonly Examined[]> {
  try {
    return await check(db);
  } catch (error) {
    if (!(error instanceof SkillflowError)) throw error;
    return [{ check: check.about, status: 'not checked', detail: error.message }];
  }
}

/**
 * Where the full-text index can be compared with the entries: that is a statement that writes, though it changes nothing, and
 * a server's database that was opened to be read refuses it.
 */
async function forFullText({ open }: CareDeps, db: Database): Promise<Database> {
  if (!isRemote(db) || !db.readOnly) return db;
  try {
    return await open('write');
  } catch (error) {
    if (!(error instanceof SkillflowError)) throw error;
    return db;
  }
}

async function examine(deps: CareDeps, db: Database): Promise<readonly Examined[]> {
  const { key, runtime } = deps;
  const integrity = await checkIntegrity(db, key);
  const expected = await expectedSchema(runtime);
  const structure = checkStructure(await readSchema(db), expected, runtime);
  const intact = integrity.finding.status === 'ok';
  return [
    integrity.finding,
    ...structure.findings,
    ...(await examineOne(db, checkOrphans)),
    await checkFullText(await forFullText(deps, db), expected, {
      reported: integrity.fullText,
      schema: structure.fullText,
      intact,
    }),
    ...(await examineOne(db, checkChanges)),
    ...(await examineOne(db, checkVectors)),
    ...(await examineOne(db, checkValues)),
  ];
}

const isWrong = ({ status }: Finding): boolean => status === 'wrong';

/** What is wrong and can be mended; nothing where the pages themselves are damaged. */
function mendable(examined: readonly Examined[]): readonly Examined[] {
  if (examined.some((item) => item.check === 'integrity' && isWrong(item))) return [];
  return examined.filter((item) => isWrong(item) && item.repair !== undefined);
}

function toReport(examined: readonly Examined[], isLocal: boolean, backup: string | null = null): DoctorReport {
  const canBeMended = new Set(isLocal ? mendable(examined) : []);
  const findings = examined.map((item): Finding => {
    const { repair: _repair, ...finding } = item;
    const advice = canBeMended.has(item) ? '; mend it with skillflow memory doctor --repair' : '';
    return { ...finding, detail: `${item.detail}${advice}` };
  });
  return { ok: !examined.some(isWrong), findings, backup };
}

/** Mends all in one transaction. */
async function mendAll(db: Database, items: readonly Examined[]): Promise<readonly Finding[]> {
  return db.write(async (queries) => {
    const mended: Finding[] = [];
    for (const { repair, ...finding } of items) {
      const done = await repair?.(queries);
      mended.push({ ...finding, status: 'repaired', detail: `${finding.detail}; ${String(done)}` });
    }
    return mended;
  });
}

/** Times that all is looked at again: what was missing may have kept a check from seeing what else is wrong. */
const ROUNDS = 3;

async function repairAll(deps: CareDeps, db: Database, first: readonly Examined[]): Promise<DoctorReport> {
  if (mendable(first).length === 0) return toReport(first, true);
  const { path } = await backUpBefore(deps, db.path, 'repair');
  const mended: Finding[] = [];
  let examined = first;
  for (let round = 0; round < ROUNDS && mendable(examined).length > 0; round += 1) {
    mended.push(...(await mendAll(db, mendable(examined))));
    examined = await examine(deps, db);
  }
  const isNews = (item: Examined): boolean => item.status !== 'ok' || mended.every(({ check }) => check !== item.check);
  const order = [...new Set(examined.map(({ check }) => check))];
  const report = order.flatMap((check): readonly Examined[] => [
    ...mended.filter((item) => item.check === check),
    ...examined.filter((item) => item.check === check && isNews(item)),
  ]);
  return toReport(report, true, path);
}

function absent({ databasePath }: CareDeps): Finding {
  const detail = `there is no database yet (a local one would be ${databasePath}): the first command that stores something makes it`;
  return { check: 'integrity', status: 'not checked', detail };
}

/** See `Care.doctor`. What SQLite itself reports as damage of anything but the full-text index is explained and not touched. */
export async function doctor(deps: CareDeps, { repair = false }: { readonly repair?: boolean } = {}): Promise<DoctorReport> {
  const {
    db: reading,
    mended,
    copies,
  }: OpenMended = repair ? await openMended(deps) : { db: await deps.open('read'), mended: [], copies: null };
  if (isAbsent(reading)) return toReport([absent(deps)], false);
  const db = repair && !isRemote(reading) ? await deps.open('write') : reading;
  if (repair && isRemote(db)) {
    throw new NotSupportedError('a remote database cannot be repaired, since no backup of it can be made first', {
      hint: 'Export the memory, and import it into a new database.',
    });
  }
  const examined = await examine(deps, db);
  const report = repair ? await repairAll(deps, db, examined) : toReport(examined, !isRemote(db));
  return { ...report, findings: [...mended, ...report.findings], backup: report.backup ?? copies };
}
