import { InternalError, InvalidInputError } from '../errors.ts';
import type { Queries } from '../store/database.ts';
import { chunkSize } from '../store/many-rows.ts';
import { prepare, type Prepared } from './content.ts';
import { toResult, withDuplicates, type Stored } from './duplicates.ts';
import { nameOf } from './entry-name.ts';
import { insertNew } from './insert-new.ts';
import type { StoreInput, StoreResult } from './memory.ts';
import type { MemoryContext } from './memory-context.ts';
import { writeEntries } from './write-entries.ts';

/** Most inputs of one call. */
const MAX_INPUTS = 10_000;
/** Where the inputs from `start` on that can be handled together end: names do not repeat, and their number is a usual one. */
function endOfGroup(inputs: readonly Prepared[], start: number): number {
  const names = new Set<string>();
  for (const { namespace, key } of inputs.slice(start, start + chunkSize(Infinity))) {
    const before = names.size;
    if (names.add(nameOf(namespace, key)).size === before) break;
  }
  return start + chunkSize(names.size);
}

/** The result for an entry whose name and value are new. */
function newlyStored({ namespace, key, bytes, ttlMs, content }: Prepared, id: number, now: number): Stored {
  const expiresAt = ttlMs === null ? null : now + ttlMs;
  return { namespace, key, id, version: 1, created: true, bytes, updatedAt: now, expiresAt, hash: content.hash };
}

/** Stores in the open transaction, in order. */
async function storeInOrder(
  queries: Queries,
  now: number,
  inputs: readonly Prepared[],
  at: (index: number) => string,
): Promise<readonly StoreResult[]> {
  const stored: Stored[] = [];
  let areNew = true;
  for (let start = 0; start < inputs.length;) {
    const end = endOfGroup(inputs, start);
    const first = start;
    const group = inputs.length === 1 ? inputs : inputs.slice(first, end);
    const firstId = await insertNew(queries, now, group);
    if (firstId === null) {
      areNew = false;
      stored.push(...(await writeEntries(queries, now, group, (index) => at(first + index))));
    } else {
      for (const [index, input] of group.entries()) stored.push(newlyStored(input, firstId + index, now));
    }
    start = end;
  }
  return areNew ? stored.map((one) => toResult(one, [])) : withDuplicates(queries, now, stored);
}

export async function storeEntry({ write }: MemoryContext, input: StoreInput): Promise<StoreResult> {
  const prepared = [prepare(input)];
  return write(1, async (queries, now) => {
    const [result] = await storeInOrder(queries, now, prepared, () => '');
    if (result === undefined) throw new InternalError('an entry was stored without a result');
    return result;
  });
}

function prepareAt(input: StoreInput, index: number): Prepared {
  if (typeof input !== 'object' || input === null) {
    throw new InvalidInputError(`[${index}] is ${input === null ? 'null' : `a ${typeof input}`}, not an entry`, {
      hint: 'Pass objects with a key and a value.',
    });
  }
  try {
    return prepare(input);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    const { hint, details, cause } = error;
    throw new InvalidInputError(`[${index}].${error.message}`, { hint, cause, details: { ...details, index } });
  }
}

export async function storeEntries({ write }: MemoryContext, inputs: readonly StoreInput[]): Promise<readonly StoreResult[]> {
  if (!Array.isArray(inputs)) throw new InvalidInputError('inputs is not a list', { hint: 'Pass a list of entries.' });
  if (inputs.length > MAX_INPUTS) {
    throw new InvalidInputError(`inputs has ${inputs.length} entries; at most ${MAX_INPUTS} are allowed`, {
      hint: 'Store them in several calls.',
      details: { parameter: 'inputs' },
    });
  }
  const prepared = inputs.map(prepareAt);
  if (prepared.length === 0) return [];
  return write(prepared.length, (queries, now) => storeInOrder(queries, now, prepared, (index) => `[${index}]: `));
}
