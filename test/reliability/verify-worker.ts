import { createRuntime } from '../../src/runtime.ts';
import { readLedgers, type Write } from './ledger.ts';
import { openMemory } from './open-memory.ts';
import { SHARED } from './writer.ts';

/** Arguments: database, folder of ledgers. Prints, as JSON, what a process that comes later does not see as it was acknowledged. */
const [path = '', folder = ''] = process.argv.slice(2);
await using opened = await openMemory(path, createRuntime('silent'));
const { memory } = opened;
const faults: string[] = [];
for (const calls of readLedgers(folder).values()) {
  const last = new Map<string, Write>();
  for (const { writes, outcome } of calls) {
    for (const write of writes) {
      if (outcome === 'acknowledged') last.set(write.key, write);
      if (outcome === 'unknown') last.delete(write.key); // either state is right
    }
  }
  for (const { namespace, key, value, by } of last.values()) {
    if (namespace === SHARED) continue;
    const entry = await memory.get({ namespace, key });
    const seen = entry?.value ?? null;
    if (by === undefined ? seen !== value : entry === undefined)
      faults.push(`get ${namespace} ${key}: ${JSON.stringify(seen)} instead of ${JSON.stringify(value)}`);
    const token = /\b\w+z\d+z\b/.exec(value ?? '')?.[0];
    if (token === undefined) continue;
    const { results } = await memory.search({ query: token });
    if (!results.some((result) => result.namespace === namespace && result.key === key))
      faults.push(`search ${token} does not find ${namespace} ${key}`);
  }
}
process.stdout.write(JSON.stringify(faults.slice(0, 20)));
