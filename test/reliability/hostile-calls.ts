import * as fc from 'fast-check';
import type { EntryName, ListInput, Memory, StoreInput } from '../../src/memory/memory.ts';
import type { SearchInput } from '../../src/memory/search/answer.ts';
import type { JsonValue } from '../../src/memory/value.ts';
import { hostileNumber, hostileText } from './hostile.ts';

/** A call of the memory with arguments of the right types and any content. */
export type HostileCall =
  | { readonly do: 'store'; readonly input: StoreInput }
  | { readonly do: 'storeMany'; readonly inputs: readonly StoreInput[] }
  | { readonly do: 'get' | 'history' | 'links' | 'delete' | 'undelete' | 'purge'; readonly name: EntryName }
  | { readonly do: 'getVersion' | 'revert'; readonly name: EntryName; readonly version: number }
  | { readonly do: 'diff'; readonly name: EntryName; readonly from: number; readonly to: number }
  | { readonly do: 'supersede'; readonly name: EntryName; readonly by: EntryName; readonly reason: string | undefined }
  | { readonly do: 'link' | 'unlink'; readonly name: EntryName; readonly other: EntryName; readonly kind: string }
  | { readonly do: 'deleteNamespace'; readonly namespace: string }
  | { readonly do: 'list'; readonly input: ListInput }
  | { readonly do: 'search'; readonly input: SearchInput }
  | { readonly do: 'namespaces' };

const text = hostileText;
const number = hostileNumber;
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined, freq: 2 });
const rarely = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

function name(): fc.Arbitrary<EntryName> {
  return fc.record({ namespace: rarely(text()), key: text() });
}

function value(): fc.Arbitrary<JsonValue> {
  return fc.oneof(
    text(),
    fc.jsonValue({ maxDepth: 3 }).map((generated): JsonValue => JSON.parse(JSON.stringify(generated))),
    fc.constantFrom<JsonValue>(
      -0,
      1e308,
      5e-324,
      NaN,
      Infinity,
      [NaN],
      { a: { b: [Infinity] } },
      JSON.parse('{"__proto__":{"x":1}}'),
    ),
  );
}

function storeInput(): fc.Arbitrary<StoreInput> {
  return fc.record({
    namespace: rarely(text()),
    key: text(),
    value: value(),
    ttlSeconds: rarely(number()),
    tags: rarely(fc.array(text(), { maxLength: 70, size: 'small' })),
    kind: rarely(text()),
    importance: rarely(number()),
    agent: rarely(text()),
    session: rarely(text()),
    run: rarely(text()),
    validFrom: rarely(number()),
    validTo: rarely(number()),
    ifVersion: rarely(number()),
  });
}

function searchInput(): fc.Arbitrary<SearchInput> {
  return fc.record({
    query: text(),
    namespaces: rarely(fc.array(text(), { maxLength: 3 })),
    tags: rarely(fc.array(text(), { maxLength: 3 })),
    kind: rarely(text()),
    agent: rarely(text()),
    session: rarely(text()),
    keys: rarely(text()),
    since: rarely(number()),
    until: rarely(number()),
    validAt: rarely(fc.option(number())),
    phrase: rarely(text()),
    limit: maybe(number()),
    offset: rarely(number()),
    cursor: rarely(text()),
    minScore: rarely(number()),
    maxTokens: rarely(number()),
    explain: rarely(fc.boolean()),
  });
}

export function hostileCall(): fc.Arbitrary<HostileCall> {
  return fc.oneof<fc.MaybeWeightedArbitrary<HostileCall>[]>(
    { weight: 8, arbitrary: fc.record({ do: fc.constant('store' as const), input: storeInput() }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('storeMany' as const), inputs: fc.array(storeInput(), { maxLength: 4 }) }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constantFrom(
          'get' as const,
          'history' as const,
          'links' as const,
          'delete' as const,
          'undelete' as const,
          'purge' as const,
        ),
        name: name(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom('getVersion' as const, 'revert' as const), name: name(), version: number() }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('diff' as const), name: name(), from: number(), to: number() }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('supersede' as const), name: name(), by: name(), reason: maybe(text()) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constantFrom('link' as const, 'unlink' as const),
        name: name(),
        other: name(),
        kind: text(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('deleteNamespace' as const), namespace: text() }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('list' as const),
        input: fc.record({
          namespace: rarely(text()),
          prefix: rarely(text()),
          kind: rarely(text()),
          tag: rarely(text()),
          deleted: maybe(fc.boolean()),
          limit: maybe(number()),
          offset: rarely(number()),
        }),
      }),
    },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('search' as const), input: searchInput() }) },
    { weight: 1, arbitrary: fc.constant({ do: 'namespaces' as const }) },
  );
}

/** Does a call. */
export async function perform(memory: Memory, call: HostileCall): Promise<unknown> {
  switch (call.do) {
    case 'store':
      return memory.store(call.input);
    case 'storeMany':
      return memory.storeMany(call.inputs);
    case 'get':
    case 'history':
    case 'links':
    case 'delete':
    case 'undelete':
    case 'purge':
      return memory[call.do](call.name);
    case 'getVersion':
    case 'revert':
      return memory[call.do](call.name, call.version);
    case 'diff':
      return memory.diff(call.name, call.from, call.to);
    case 'supersede':
      return memory.supersede(call.name, call.by, call.reason);
    case 'link':
    case 'unlink':
      return memory[call.do](call.name, call.other, call.kind);
    case 'deleteNamespace':
      return memory.deleteNamespace(call.namespace);
    case 'list':
      return memory.list(call.input);
    case 'search':
      return memory.search(call.input);
    default:
      return memory.namespaces();
  }
}

export const nameOf = ({ namespace = 'default', key }: EntryName): string => JSON.stringify([namespace, key]);

/** Names of the entries that a call may change; a function of the entries that are there. */
export function mayChange(call: HostileCall, there: readonly string[]): readonly string[] {
  switch (call.do) {
    case 'store':
      return [nameOf(call.input)];
    case 'storeMany':
      return call.inputs.map(nameOf);
    case 'delete':
    case 'undelete':
    case 'purge':
    case 'revert':
    case 'supersede':
      return [nameOf(call.name)];
    case 'deleteNamespace':
      return there.filter((name) => name.startsWith(`${JSON.stringify([call.namespace]).slice(0, -1)},`));
    default:
      return [];
  }
}
