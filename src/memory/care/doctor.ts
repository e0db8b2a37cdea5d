import { NotSupportedError, SkillflowError } from '../../errors.ts';
import type { Database } from '../../store/database.ts';
import { expectedSchema, readSchema } from '../../store/schema.ts';
import { backUpBefore } from './backup.ts';
import type { DoctorReport, Finding } from './care.ts';
import { isRemote, type CareDeps } from './care-deps.ts';
import { checkChanges, checkIntegrity, checkOrphans, checkValues, checkVectors } from './examine.ts';
import type { Examined } from './examined.ts';
import { checkFullText } from './full-text.ts';
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

async function examine({ key, runtime }: CareDeps, db: Database): Promise<readonly Examined[]> {
  const integrity = await checkIntegrity(db, key);
  const expected = await expectedSchema(runtime);
  const structure = checkStructure(await readSchema(db), expected, runtime);
  const intact = integrity.finding.status === 'ok';
  return [
    integrity.finding,
    ...structure.findings,
    ...(await examineOne(db, checkOrphans)),
    await checkFullText(db, expected, { reported: integrity.fullText, schema: structure.fullText, intact }),
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
    const advice = canBeMended.has(item) ? '; mend it with skillflow memory doctor --repair' : '';
    return { check: item.check, status: item.status, detail: `${item.detail}${advice}` };
  });
  return { ok: !examined.some(isWrong), findings, backup };
}

/** Mends all in one transaction. */
async function mendAll(db: Database, items: readonly Examined[]): Promise<readonly Finding[]> {
  return db.write(async (queries) => {
    const mended: Finding[] = [];
    for (const { check, detail, repair } of items) {
      const done = await repair?.(queries);
      mended.push({ check, status: 'repaired', detail: `${detail}; ${String(done)}` });
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

/** See `Care.doctor`. What SQLite itself reports as damage of anything but the full-text index is explained and not touched. */
export async function doctor(deps: CareDeps, { repair = false }: { readonly repair?: boolean } = {}): Promise<DoctorReport> {
  const db = await deps.open(repair ? 'write' : 'read');
  if (repair && isRemote(db)) {
    throw new NotSupportedError('a remote database cannot be repaired, since no backup of it can be made first', {
      hint: 'Export the memory, and import it into a new database.',
    });
  }
  const examined = await examine(deps, db);
  return repair ? repairAll(deps, db, examined) : toReport(examined, !isRemote(db));
}
