import type { Runtime } from '../runtime.ts';
import type { Queries } from '../store/database.ts';
import { numberColumns, numberOrNull, textColumns, textOrNull } from '../store/row.ts';
import { parseEvent } from './parse-event.ts';

const STEPS = `SELECT ${textColumns(['owner'])}, ${numberColumns(['lease_until'])} FROM step WHERE run_id = ? AND status = 'running'`;
const RUN = `SELECT ${textColumns(['owner_host'])}, ${numberColumns(['owner_pid', 'lease_until'])} FROM run WHERE id = ?`;
/** What tells who joined a run, and who did not stay. */
const TURNS = `SELECT ${textColumns(['run_id', 'type', 'body'])}, ${numberColumns(['seq', 'at'])} FROM event WHERE run_id = ? AND type IN
  ('run_resumed', 'run_left', 'run_waiting', 'run_paused', 'approval_asked', 'run_completed', 'run_failed', 'run_cancelled')
  ORDER BY event.seq`;
/** Of an owner, `<host>/<pid>/<session>`. */
const OWNER_PARTS = 3;

/** A process that drives a run. */
interface Driver {
  readonly host: string;
  readonly pid: number;
}

type World = Pick<Runtime, 'host' | 'alive' | 'now'>;

const isGone = ({ host, pid }: Driver, runtime: World): boolean => host === runtime.host && !runtime.alive(pid);

/** The process of an owner of steps, `<host>/<pid>/<session>`; `null` for a host that claims steps to answer them. */
function driverOf(owner: string): Driver | null {
  const [host = '', pid] = owner.split('/');
  if (host.startsWith('host:')) return null;
  return Number(pid) > 0 ? { host, pid: Number(pid) } : null;
}

/** Whether the owner of a step was a process of this host that has ended. */
export function ownerIsGone(owner: string, runtime: World): boolean {
  const driver = driverOf(owner);
  return driver !== null && isGone(driver, runtime);
}

/** The process that says it drives a run, while it lives and its lease holds. */
async function registeredDriver(queries: Pick<Queries, 'get'>, runId: string, runtime: World): Promise<Driver | null> {
  const row = (await queries.get(RUN, [runId])) ?? {};
  const [host, pid] = [textOrNull(row, 'owner_host'), numberOrNull(row, 'owner_pid')];
  if (host === null || pid === null || (numberOrNull(row, 'lease_until') ?? 0) < runtime.now()) return null;
  return isGone({ host, pid }, runtime) ? null : { host, pid };
}

const isSame = (one: Driver | null, other: Driver | null): boolean => one?.host === other?.host && one?.pid === other?.pid;

/** Whether another process says that it drives the run. */
export async function isDrivenElsewhere(
  queries: Pick<Queries, 'get'>,
  runId: string,
  runtime: World & Pick<Runtime, 'pid'>,
): Promise<boolean> {
  const driver = await registeredDriver(queries, runId, runtime);
  return driver !== null && !isSame(driver, runtime);
}

/** Owners that joined a run since it last waited or ended, and have not left it, the newest first; also those without a step. */
async function joinedOwners(queries: Queries, runId: string): Promise<readonly string[]> {
  const joined = new Set<string>();
  for (const event of (await queries.all(TURNS, [runId])).map(parseEvent)) {
    if (event.type === 'run_resumed') joined.add(event.owner);
    else if (event.type === 'run_left') joined.delete(event.owner);
    else joined.clear();
  }
  // Who woke a run without a session of its own drives it by another one, or not at all.
  return [...joined].filter((owner) => owner.split('/').length === OWNER_PARTS).reverse();
}

/**
 * Another driver of a run than the owner: one that has steps under way, that says it drives the run, or that has joined it
 * and holds nothing at the moment.
 */
export async function otherDriver(queries: Queries, runId: string, owner: string, runtime: World): Promise<Driver | null> {
  for (const row of await queries.all(STEPS, [runId])) {
    const other = textOrNull(row, 'owner') ?? '';
    const driver = other === owner || (numberOrNull(row, 'lease_until') ?? 0) < runtime.now() ? null : driverOf(other);
    if (driver !== null && !isGone(driver, runtime)) return driver;
  }
  const registered = await registeredDriver(queries, runId, runtime);
  if (registered !== null && !isSame(registered, driverOf(owner))) return registered;
  for (const other of await joinedOwners(queries, runId)) {
    const driver = other === owner ? null : driverOf(other);
    if (driver !== null && !isGone(driver, runtime)) return driver;
  }
  return null;
}
