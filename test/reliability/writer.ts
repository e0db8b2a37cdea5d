import { ConflictError } from '../../src/errors.ts';
import type { Memory } from '../../src/memory/memory.ts';
import type { Note, Write } from './ledger.ts';
import { createRandom } from './random.ts';

export const KINDS = ['store', 'update', 'delete', 'storeMany', 'supersede', 'count', 'share', 'get', 'search'] as const;
export type Kind = (typeof KINDS)[number];

/** How often each kind comes; the rest of the weights is 0. */
export type Mix = Readonly<Partial<Record<Kind, number>>>;

export const MIXED: Mix = {
  store: 25,
  update: 20,
  delete: 5,
  storeMany: 3,
  supersede: 3,
  count: 4,
  share: 5,
  get: 20,
  search: 15,
};

/** Entries that every writer writes to. */
export const SHARED = 'shared';
/** A number that writers count up, each step only if nobody else was faster. */
export const COUNTER = 'counter';
/** Keys in {@link SHARED} that are overwritten and deleted by everybody. */
const SHARED_KEYS = 4;
const BATCH = 10;

export interface Writer {
  /** Does one call, and checks what it can of the answer. Rejects with what went wrong. */
  step(): Promise<Kind>;
}

export interface WriterOptions {
  readonly memory: Memory;
  /** Its namespace: nobody else writes there. */
  readonly name: string;
  readonly seed: number;
  readonly mix: Mix;
  readonly note: (note: Note) => void;
}

const WORDS = `memory session agent review token login cache index vector search commit branch deploy server client request
  response header cookie secret schema table column query latency budget worker thread queue retry timeout backoff lease
  journal snapshot backup restore merge export import history version tag namespace entry value window neighbour`
  .split(/\s+/)
  .filter((word) => word !== '');

/** A word that stands in one value only, and says which. */
function tokenOf(name: string, n: number): string {
  return `${name.replaceAll(/[^a-z0-9]/g, '')}z${n}z`;
}

class Wrong extends Error {}

function expectTrue(truth: boolean, what: string): void {
  if (!truth) throw new Wrong(what);
}

/** Choices, names and values come from the seed alone, so that a failure can be repeated up to the timing of processes. */
export function createWriter({ memory, name, seed, mix, note }: WriterOptions): Writer {
  const random = createRandom(seed);
  /** Own entries that are there: key → the value's token. */
  const live = new Map<string, string>();
  let keys: string[] = [];
  let calls = 0;
  let made = 0;

  const words = (): string => Array.from({ length: 5 + random.below(20) }, () => WORDS[random.below(WORDS.length)]).join(' ');
  const value = (): { readonly text: string; readonly token: string } => {
    made += 1;
    const token = tokenOf(name, made);
    return { text: `${words()} ${token} ${words()}`, token };
  };
  const own = (): string | undefined => keys[random.below(keys.length)];
  const forget = (key: string): void => {
    live.delete(key);
    keys = keys.filter((other) => other !== key);
  };
  const remember = (key: string, token: string): void => {
    if (!live.has(key)) keys.push(key);
    live.set(key, token);
  };
  const noted = async <T>(
    kind: Kind,
    writes: readonly Write[],
    work: () => Promise<T>,
    versions: (done: T) => readonly number[],
  ) => {
    calls += 1;
    note({ begin: calls, kind, writes });
    const done = await work();
    note({ acknowledged: calls, versions: versions(done) });
    return done;
  };
  const put = async (kind: Kind, key: string): Promise<void> => {
    const { text, token } = value();
    const write = { namespace: name, key, value: text };
    const known = live.has(key);
    const { created } = await noted(
      kind,
      [write],
      () => memory.store({ ...write, tags: [name, kind] }),
      ({ version }) => [version],
    );
    expectTrue(created !== known, `storing ${key} said created: ${created}`);
    remember(key, token);
  };

  const steps: Readonly<Record<Kind, () => Promise<void>>> = {
    store: () => put('store', `key-${made}`),
    update: () => put('update', own() ?? `key-${made}`),
    delete: async () => {
      const key = own();
      if (key === undefined) return;
      const gone = await noted(
        'delete',
        [{ namespace: name, key, value: null }],
        () => memory.delete({ namespace: name, key }),
        () => [],
      );
      expectTrue(gone, `deleting ${key} said there was none`);
      const token = live.get(key) ?? '';
      forget(key);
      expectTrue((await memory.get({ namespace: name, key })) === undefined, `${key} is still there after it was deleted`);
      expectTrue(!(await finds(token, key)), `${key} is still found after it was deleted`);
    },
    storeMany: async () => {
      const batch = Array.from({ length: BATCH }, (_item, at) => ({ key: `batch-${made}-${at}`, ...value() }));
      const writes = batch.map(({ key, text }) => ({ namespace: name, key, value: text }));
      await noted(
        'storeMany',
        writes,
        () => memory.storeMany(writes),
        (results) => results.map(({ version }) => version),
      );
      for (const { key, token } of batch) remember(key, token);
    },
    supersede: async () => {
      const [key, by] = [own(), own()];
      if (key === undefined || by === undefined || key === by) return;
      await noted(
        'supersede',
        [{ namespace: name, key, by }],
        () => memory.supersede({ namespace: name, key }, { namespace: name, key: by }, 'newer'),
        () => [],
      );
      forget(key); // nothing else is done to it: what it says stays as it is now
    },
    count: async () => {
      const now = await memory.get({ namespace: SHARED, key: COUNTER });
      const next = String(Number(now?.value ?? 0) + 1);
      const write = { namespace: SHARED, key: COUNTER, value: next };
      calls += 1;
      note({ begin: calls, kind: 'count', writes: [write] });
      try {
        const { version } = await memory.store({ ...write, ifVersion: now?.version ?? 0 });
        note({ acknowledged: calls, versions: [version] });
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
        note({ refused: calls });
      }
    },
    share: async () => {
      const key = `shared-${random.below(SHARED_KEYS)}`;
      if (random.below(4) === 0) {
        await noted(
          'share',
          [{ namespace: SHARED, key, value: null }],
          () => memory.delete({ namespace: SHARED, key }),
          () => [],
        );
        return;
      }
      const write = { namespace: SHARED, key, value: value().text };
      await noted(
        'share',
        [write],
        () => memory.store(write),
        ({ version }) => [version],
      );
    },
    get: async () => {
      const key = own();
      if (key === undefined) return;
      const entry = await memory.get({ namespace: name, key });
      const text = entry?.value;
      expectTrue(
        typeof text === 'string' && text.includes(live.get(key) ?? '-'),
        `get ${key} lacks ${live.get(key)}: ${JSON.stringify(entry)}`,
      );
    },
    search: async () => {
      const key = own();
      if (key === undefined) return;
      const token = live.get(key) ?? '';
      expectTrue(await finds(token, key), `search ${token} does not find ${key}`);
    },
  };

  async function finds(token: string, key: string): Promise<boolean> {
    const { results } = await memory.search({ query: token, limit: 10 });
    return results.some((result) => result.namespace === name && result.key === key);
  }

  const weights = KINDS.map((kind) => mix[kind] ?? 0);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const choose = (): Kind => {
    let at = random.next() * total;
    return KINDS.find((_kind, index) => (at -= weights[index] ?? 0) < 0) ?? 'store';
  };
  return {
    step: async () => {
      const kind = choose();
      await steps[kind]();
      return kind;
    },
  };
}
