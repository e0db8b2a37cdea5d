import { join } from 'node:path';
import { isLogDamage } from '../../store/check-log.ts';
import type { Database } from '../../store/database.ts';
import { mendLog } from '../../store/mend-log.ts';
import type { Finding } from './care.ts';
import type { CareDeps } from './care-deps.ts';
import { freeName, timeName } from './copy.ts';

/** A database open for repair, and what had to be done to open it. */
export interface OpenMended {
  readonly db: Database;
  readonly mended: readonly Finding[];
  /** Folder with copies of the files as they were; `null` when nothing had to be done. */
  readonly copies: string | null;
}

/**
 * Opens the database for repair. A damaged log keeps it from being opened at all: its files are copied aside, and what was
 * committed before the damage is gone on with.
 * Errors: those of opening it and of `mendLog`.
 */
export async function openMended(deps: CareDeps): Promise<OpenMended> {
  try {
    return { db: await deps.open('read'), mended: [], copies: null };
  } catch (error) {
    if (!isLogDamage(error)) throw error;
    const name = `before-repair-${timeName(deps.runtime.now())}`;
    const copies = freeName((suffix) => join(deps.projectRoot, '.skillflow', 'backups', `${name}${suffix}-files`));
    const { kept, dropped } = await mendLog(deps.databasePath, copies, deps.runtime, deps.key);
    const lost = dropped === 0 ? 'what came after them is lost' : `${dropped} committed ones after them are lost`;
    const detail = `${error.message}; repaired: ${kept} changed pages of it were kept, and ${lost}. All files as they were: ${copies}`;
    return { db: await deps.open('read'), mended: [{ check: 'integrity', status: 'repaired', detail }], copies };
  }
}
