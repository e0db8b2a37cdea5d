import { createInterface } from 'node:readline';
import { createMemory, type StoreInput } from '../../src/memory/memory.ts';
import { createRuntime } from '../../src/runtime.ts';
import { openLocation } from '../helpers/open-location.ts';

/** Argument: a database's path or URL. Each line of stdin is a call; each line of stdout what it answered. */
type Call =
  | { readonly do: 'store'; readonly input: StoreInput }
  | { readonly do: 'get' | 'delete' | 'purge'; readonly key: string };

const runtime = createRuntime('silent');
await using db = await openLocation(process.argv[2] ?? '', { runtime });
const memory = createMemory({ open: async () => db, runtime });

async function answer(call: Call): Promise<unknown> {
  switch (call.do) {
    case 'store':
      return memory.store(call.input);
    case 'get':
      return (await memory.get(call))?.value ?? null;
    case 'delete':
      return memory.delete(call);
    case 'purge':
      return memory.purge(call);
    default:
      throw new Error('there is no such call');
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const call: Call = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await answer(call))}\n`);
}
