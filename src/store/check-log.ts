import { DatabaseDamagedError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { readLogIndex, type LogIndex } from './log-index.ts';
import { readLog, type LogContent } from './read-log.ts';

const HEADER_BYTES = 32;
/** Times that a log must show the same damage to be believed: others may be writing it while it is read. */
const SIGHTINGS = 3;
const MOST_LOOKS = 8;
const PAUSE_MS = 20;

/** What marks an error as one of the log alone. */
const LOG = 'log';

/** What of a log SQLite would drop without a word. */
interface LogDamage {
  readonly reason: string;
  /** What stays the same when it is looked at again, unless it was somebody at work. */
  readonly place: string;
}

/** Whether an error says that the log beside a database is damaged: `memory doctor --repair` goes on with what is whole. */
export function isLogDamage(error: unknown): error is DatabaseDamagedError {
  return error instanceof DatabaseDamagedError && error.details?.['part'] === LOG;
}

/** What its index says was in a log that is empty or gone, and is in no file now. */
function emptied(log: LogContent | undefined, index: LogIndex | undefined): string | undefined {
  if (index === undefined || index.moved >= index.frames) return undefined;
  return `its log is ${log === undefined ? 'gone' : 'empty'}, which held ${index.frames - index.moved} changed pages that are not in the file`;
}

/** The number of the last frame that was committed, after those that SQLite would read; 0 when it would read all. */
function lastLost(log: LogContent, index: LogIndex | undefined): number {
  if (index?.salts === log.salts && index.frames > log.committed) {
    const isAllInFile = log.committed === 0 && index.moved >= index.frames;
    return isAllInFile ? 0 : Math.max(index.frames, log.lastLost);
  }
  if (log.lastLost > 0 || index?.salts === log.salts) return log.lastLost;
  // A process that is killed while it writes the last frame leaves the index, and the file ends within the frame.
  const isLast = log.frames === log.sound + 1 && log.bytes === HEADER_BYTES + log.frames * log.frameBytes;
  return log.endsInCommit && isLast ? log.frames : 0;
}

function reasonOf(log: LogContent | undefined, index: LogIndex | undefined): string | undefined {
  if (log === undefined || log.bytes === 0) return emptied(log, index);
  if (log.salts === null) {
    // The header is on the disk before anything else is written: only a header that is alone can be what a power cut left.
    const isBlank = log.bytes === HEADER_BYTES && /^0+$/.test(log.header);
    return isBlank ? emptied(log, index) : `its log of ${log.bytes} bytes does not begin as a log does`;
  }
  const last = lastLost(log, index);
  if (last === 0) return undefined;
  return `its log is damaged or cut off after ${log.sound} of ${last} changed pages: the last ${last - log.committed} were committed, and would be lost`;
}

function look(path: string): LogDamage | undefined {
  const index = readLogIndex(path); // first: what it knows of has been written to the log by then
  const log = readLog(path);
  const reason = reasonOf(log, index);
  return reason === undefined ? undefined : { reason, place: `${log?.header ?? ''} ${log?.sound ?? 0}` };
}

/**
 * Looks whether SQLite would read all that was committed to the log of a database. It takes what follows the first
 * damaged byte, or a log with a damaged header, for what a power cut left, drops it without a word, and removes it when
 * it closes the file. A log that was cut off between two frames can be told only by its index, which is there after a
 * crash; nothing tells a log that is gone together with its index.
 * Errors: `DatabaseDamagedError`, with all files as they were; `StorageError`.
 */
export async function checkLog(path: string, runtime: Runtime): Promise<void> {
  let known: string | undefined;
  let sightings = 0;
  for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
    const damage = look(path);
    if (damage === undefined) return;
    sightings = damage.place === known ? sightings + 1 : 1;
    known = damage.place;
    if (sightings === SIGHTINGS) {
      throw new DatabaseDamagedError(`the database ${path} is damaged: ${damage.reason}`, {
        hint: 'Run skillflow memory doctor --repair, which copies the files aside and goes on with what is whole, or restore a backup; the files were left as they are.',
        details: { path, part: LOG },
      });
    }
    await runtime.sleep(PAUSE_MS);
  }
}
