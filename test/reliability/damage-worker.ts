import { writeSync } from 'node:fs';
import { toSkillflowError } from '../../src/errors.ts';
import type { MemoryEntry } from '../../src/memory/entry.ts';
import { createRuntime } from '../../src/runtime.ts';
import { contentHash } from '../../src/store/content-hash.ts';
import type { Database } from '../../src/store/database.ts';
import { bytesOf, bytesOnly } from '../../src/store/row.ts';
import { openMemory, type OpenMemory } from './open-memory.ts';
import { keyOf, valueOf, type DamageCase, type DamageOutcome } from './damage-cases.ts';

/**
 * Uses damaged databases, one after the other, as a caller would. Argument: JSON of `DamageCase[]`. Prints a line before each
 * case and its outcome after it, so that a crash is known by the case that led to it.
 */
const cases: readonly DamageCase[] = JSON.parse(process.argv[2] ?? '[]');
const runtime = createRuntime('silent');

interface Told {
  readonly code: string;
  readonly message: string;
}

async function attempt<T>(errors: Told[], work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const { code, message } = toSkillflowError(error);
    errors.push({ code, message });
    return undefined;
  }
}

/** Whether nothing tells that an entry has another value than it was given. */
async function agreesWithItsHash(db: Database, { id, format, value }: MemoryEntry): Promise<boolean> {
  const row = (await db.get(`SELECT ${bytesOnly('hash')} AS hash FROM memory_entry WHERE id = ?`, [id])) ?? {};
  return (
    Buffer.compare(
      bytesOf(row, 'hash'),
      contentHash(format === 'text' && typeof value === 'string' ? value : JSON.stringify(value)),
    ) === 0
  );
}

async function use({ memory, db }: OpenMemory, { entries, readOnly }: DamageCase): Promise<DamageOutcome> {
  const errors: Told[] = [];
  const wrong: string[] = [];
  const untold: string[] = [];
  const missing: number[] = [];
  let right = 0;
  for (let n = 0; n < entries; n += 1) {
    const before = errors.length;
    const entry = await attempt(errors, () => memory.get({ namespace: 'kept', key: keyOf(n) }));
    if (errors.length > before) continue;
    if (entry === undefined) missing.push(n);
    else if (entry.value === valueOf(n)) right += 1;
    else {
      wrong.push(keyOf(n));
      if (await agreesWithItsHash(db, entry)) untold.push(keyOf(n));
    }
  }
  const list = await attempt(errors, () => memory.list({ limit: 1000 }));
  await attempt(errors, () => memory.search({ query: 'session token word3' }));
  await attempt(errors, () => memory.search({ query: '☂' }));
  await attempt(errors, () => memory.namespaces());
  if (!readOnly) {
    await attempt(errors, () => memory.store({ key: 'after', value: 'the damage' }));
    await attempt(errors, () => memory.store({ namespace: 'kept', key: keyOf(1), value: 'a new version' }));
    await attempt(errors, () => memory.delete({ namespace: 'kept', key: keyOf(2) }));
  }
  const integrity = await attempt(errors, () => db.integrity());
  return { refused: null, right, wrong, untold, missing, listed: list?.total ?? null, integrity: integrity ?? null, errors };
}

async function outcomeOf(damaged: DamageCase): Promise<DamageOutcome> {
  const errors: Told[] = [];
  const opened = await attempt(errors, () => openMemory(damaged.path, runtime, damaged.readOnly));
  if (opened === undefined) {
    const [refused = null] = errors;
    return { refused, right: 0, wrong: [], untold: [], missing: [], listed: null, integrity: null, errors: [] };
  }
  const outcome = await use(opened, damaged);
  await attempt(errors, () => opened.db.close());
  return { ...outcome, errors: [...outcome.errors, ...errors] };
}

for (const [at, damaged] of cases.entries()) {
  writeSync(1, `${JSON.stringify({ begins: at })}\n`);
  writeSync(1, `${JSON.stringify({ ends: at, outcome: await outcomeOf(damaged) })}\n`);
}
