import { NotSupportedError, SkillflowError } from '../../errors.ts';
import type { Database } from '../../store/database.ts';
import { backUpBefore } from './backup.ts';
import type { DoctorReport, Finding } from './care.ts';
import { isRemote, type CareDeps } from './care-deps.ts';
import {
  checkChanges,
  checkFullText,
  checkIntegrity,
  checkOrphans,
  checkValues,
  checkVectors,
  type Examined,
} from './examine.ts';

/** Reads first, so that an answer about one thing is not lost to damage that another one meets. */
const CHECKS = [checkOrphans, checkChanges, checkVectors, checkValues] as const;

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function examine({ key }: CareDeps, db: Database): Promise<readonly Examined[]> {
  const integrity = await checkIntegrity(db, key);
  const examined: Examined[] = [integrity.finding];
  for (const check of CHECKS) {
    try {
      examined.push(...(await check(db)));
    } catch (error) {
      if (!(error instanceof SkillflowError)) throw error;
      examined.push({ check: check.about, status: 'not checked', detail: reason(error) });
    }
  }
  examined.splice(2, 0, await checkFullText(db, integrity.fullText));
  return examined;
}

function toFinding({ check, status, detail }: Examined): Finding {
  return { check, status, detail };
}

async function repairAll(deps: CareDeps, db: Database, examined: readonly Examined[]): Promise<DoctorReport> {
  const damaged = examined.some(({ check, status }) => check === 'integrity' && status === 'wrong');
  const repairable = examined.filter(({ status, repair }) => status === 'wrong' && repair !== undefined);
  if (damaged || repairable.length === 0) return { ok: false, findings: examined.map(toFinding), backup: null };
  const { path } = await backUpBefore(deps, db.path, 'repair');
  const findings: Finding[] = [];
  await db.write(async (queries) => {
    findings.length = 0; // the transaction may run again from its start
    for (const item of examined) {
      if (item.status !== 'wrong' || item.repair === undefined) findings.push(toFinding(item));
      else findings.push({ check: item.check, status: 'repaired', detail: `${item.detail}; ${await item.repair(queries)}` });
    }
  });
  return { ok: findings.every(({ status }) => status !== 'wrong'), findings, backup: path };
}

/** See `Care.doctor`. What SQLite itself reports as damage is explained and not touched. */
export async function doctor(deps: CareDeps, { repair = false }: { readonly repair?: boolean } = {}): Promise<DoctorReport> {
  const db = await deps.open(repair ? 'write' : 'read');
  if (repair && isRemote(db)) {
    throw new NotSupportedError('a remote database cannot be repaired, since no backup of it can be made first', {
      hint: 'Export the memory, and import it into a new database.',
    });
  }
  const examined = await examine(deps, db);
  const ok = examined.every(({ status }) => status !== 'wrong');
  if (ok || !repair) return { ok, findings: examined.map(toFinding), backup: null };
  return repairAll(deps, db, examined);
}
