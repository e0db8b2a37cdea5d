import { copyFileSync, existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SettlingVectorSearch } from '../../../src/memory/vector/create-vector-search.ts';
import type { Database } from '../../../src/store/database.ts';
import { openDatabase } from '../../../src/store/open-database.ts';
import { seeded } from '../../helpers/seeded.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';
import {
  add,
  addSpace,
  clustered,
  entryIds,
  hasHnsw,
  jsonEmbeddings,
  nearest,
  noHnsw,
  vectorSearch,
  type Options,
} from './space.ts';

const DIMENSIONS = 12;
const COUNT = 200;
const scratch = useScratch();
const vectors = clustered(COUNT, DIMENSIONS, 1, 40);
const zero = new Float32Array(DIMENSIONS);
let root: string;
let folder: string;
let db: Database;
let spaceId: number;
let ids: readonly number[];
const searches: SettlingVectorSearch[] = [];

beforeEach(async () => {
  root = await scratch.folder();
  folder = join(root, 'vectors');
  db = await openDatabase(join(root, 'skillflow.db'), { runtime: testRuntime() });
  scratch.onCleanUp(() => db.close());
  spaceId = await addSpace(db, DIMENSIONS);
  ids = await add(
    db,
    spaceId,
    vectors.map((vector) => ({ vector })),
  );
});

afterEach(closeAll);

async function closeAll(): Promise<void> {
  for (const search of searches.splice(0)) await search[Symbol.asyncDispose]();
}

function start(options: Partial<Options> = {}): SettlingVectorSearch {
  const embeddings = jsonEmbeddings({ id: spaceId, dimensions: DIMENSIONS });
  const search = vectorSearch(db, { embeddings, folder, ...options });
  searches.push(search);
  return search;
}

/** Searches some of the vectors, waits for what follows in the background, and searches again. */
async function works(search: SettlingVectorSearch): Promise<string | null> {
  let note: string | null = null;
  for (const at of [0, 77, COUNT - 1]) {
    expect(entryIds(await nearest(search, vectors[at] ?? zero, 1))).toEqual([ids[at]]);
    note ??= (await search.status()).note;
  }
  await search.settled();
  for (const at of [1, 150]) expect(entryIds(await nearest(search, vectors[at] ?? zero, 1))).toEqual([ids[at]]);
  return note;
}

const files = (ending: string): readonly string[] => readdirSync(folder).filter((name) => name.endsWith(ending));

function remove(kind: string): void {
  for (const name of readdirSync(folder)) if (name.includes(`.${kind}.`)) unlinkSync(join(folder, name));
}

describe.each([
  { kind: 'int8', tier: 'int8', options: { loadHnsw: noHnsw } },
  { kind: 'links', tier: 'hnsw', options: {} },
  { kind: 'hnsw', tier: 'hnsw', options: {} }, // read where there are no links
] as const)('the snapshot of $kind', ({ kind, tier, options }) => {
  const skip = tier === 'hnsw' && !hasHnsw;
  const index = (): string => join(folder, files(`${kind}.index`)[0] ?? 'none');
  const data = (): string =>
    join(folder, readdirSync(folder).find((name) => name.includes(`.${kind}.`) && name.endsWith('.data')) ?? 'none');
  const removeLinks = (): void => {
    if (kind === 'hnsw') remove('links');
  };

  beforeEach(async () => {
    if (tier === 'hnsw' && !hasHnsw) return;
    await works(start(options));
    await closeAll();
    removeLinks();
  });

  test.skipIf(skip)('is used by the next process, without reading what it holds from the database', async () => {
    if (kind === 'links') remove('hnsw'); // it is not needed before something is added
    const [manifest, content] = [readFileSync(index()), readFileSync(data())];
    let read = 0;
    const counting: Database = {
      ...db,
      all: async (sql, params) => {
        const rows = await db.all(sql, params);
        if (sql.includes('NOT INDEXED')) read += rows.length;
        return rows;
      },
    };
    const search = vectorSearch(counting, {
      embeddings: jsonEmbeddings({ id: spaceId, dimensions: DIMENSIONS }),
      folder,
      ...options,
    });
    searches.push(search);
    await works(search);
    expect(read).toBe(kind === 'hnsw' ? 32 : 0); // the witnesses of its links, which are saved again
    expect(await search.status()).toMatchObject({ tier, indexed: COUNT });
    expect([readFileSync(index()), readFileSync(data())]).toEqual([manifest, content]);
  });

  test.skipIf(skip)('is found damaged wherever it is cut off or a bit is turned, and made again', async () => {
    const next = seeded(5);
    for (const file of [index(), data()]) {
      const whole = readFileSync(file);
      const cuts = [0, 1, 7, 8, 11, 12, 50, Math.floor(whole.length / 2), whole.length - 33, whole.length - 32, whole.length - 1];
      const damaged = [
        ...cuts.map((length) => whole.subarray(0, length)),
        ...Array.from({ length: 12 }, () => {
          const bytes = Buffer.from(whole);
          const at = Math.floor(next() * bytes.length);
          bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(next() * 8));
          return bytes;
        }),
        Buffer.concat([whole, Buffer.from('more')]),
        Buffer.from('not a snapshot at all, but long enough to be taken for one'),
      ];
      for (const bytes of damaged) {
        writeFileSync(file, bytes);
        removeLinks();
        const search = start(options);
        await works(search);
        expect(await search.status()).toMatchObject({ tier, indexed: COUNT });
        await closeAll();
        expect(readFileSync(index()).subarray(0, 8).toString()).toBe('SKFVEC1\n');
        expect(readFileSync(data()).length).toBeGreaterThan(COUNT * DIMENSIONS);
        writeFileSync(file, whole); // the same content gets the same name, but for the index's few bytes of time
      }
    }
  });

  test.skipIf(skip)('without its data, or with data and no index, is no snapshot', async () => {
    copyFileSync(index(), `${data()}.copy`);
    writeFileSync(data(), '');
    await works(start(options));
    await closeAll();
    expect(existsSync(`${data()}.copy`)).toBe(true); // not ours to remove
  });

  test.skipIf(skip)('of another database is not used', async () => {
    const otherRoot = await scratch.folder();
    const other = await openDatabase(join(otherRoot, 'skillflow.db'), { runtime: testRuntime() });
    scratch.onCleanUp(() => other.close());
    const otherSpace = await addSpace(other, DIMENSIONS, 'space-1'); // a copy would have the same uid
    const others = clustered(COUNT, DIMENSIONS, 99, 60);
    const otherIds = await add(
      other,
      otherSpace,
      others.map((vector) => ({ vector })),
    );
    const search = vectorSearch(other, {
      embeddings: jsonEmbeddings({ id: otherSpace, dimensions: DIMENSIONS }),
      folder,
      ...options,
    });
    searches.push(search);
    for (const [at, vector] of others.entries()) {
      expect(entryIds(await nearest(search, vector, 1))).toEqual([otherIds[at]]);
    }
    await search.settled();
    expect(entryIds(await nearest(search, others[8] ?? zero, 1))).toEqual([otherIds[8]]);
  });

  test.skipIf(skip)('that contradicts the database in the middle is given up', async () => {
    await db.run('UPDATE embedding SET vector = (SELECT vector FROM embedding WHERE id = 190) WHERE id BETWEEN 60 AND 90');
    const search = start(options);
    const text = JSON.stringify([...(vectors[70] ?? zero)]);
    const { note } = await search.nearest(text, 1, { sql: '1', params: [] }, new AbortController().signal);
    expect(note).toMatch(/compared one by one, without the index: it contradicts the database/);
    for (const at of [59, 70, 80]) {
      const [hit] = await nearest(search, vectors[at] ?? zero, 1);
      const truth = (await nearest(start({ ...options, sizes: { exact: 1_000 } }), vectors[at] ?? zero, 1))[0];
      expect(hit?.similarity).toBeCloseTo(truth?.similarity ?? NaN, 5);
    }
  });
});

describe.skipIf(!hasHnsw)('a graph that was opened by its links', () => {
  const more = clustered(60, DIMENSIONS, 5, 60);

  async function grows(): Promise<void> {
    const search = start();
    await works(search);
    const added = await add(
      db,
      spaceId,
      more.map((vector) => ({ vector })),
    );
    await works(search);
    for (const [at, vector] of more.entries()) expect(entryIds(await nearest(search, vector, 1))).toEqual([added[at]]);
    expect(await search.status()).toEqual({ tier: 'hnsw', vectors: COUNT + 60, indexed: COUNT + 60, note: null });
    await closeAll();
    const [head] = files('links.index').map((name) => readFileSync(join(folder, name), 'latin1'));
    expect(head).toContain(`"count":${COUNT + 60}`);
  }

  beforeEach(async () => {
    await works(start());
    await closeAll();
  });

  test('is added to once it was read as a whole', grows);

  test('is made again when it cannot be read as a whole', async () => {
    remove('hnsw');
    await grows();
    expect(files('.hnsw.index')).toHaveLength(1);
  });

  test('lacks rows of a scan that was made again without them: it is read as a whole', async () => {
    remove('int8');
    await db.run('DELETE FROM memory_entry WHERE id = ?', [ids[30] ?? 0]);
    await db.run('DELETE FROM embedding WHERE id = 31');
    const search = start();
    await works(search);
    expect(await search.status()).toMatchObject({ tier: 'hnsw', vectors: COUNT - 1, note: null });
    expect(entryIds(await nearest(search, vectors[30] ?? zero, 1))).not.toContain(ids[30]);
  });
});

describe('saving', () => {
  test('a folder that refuses it costs the snapshot only, and the status says so', async () => {
    await mkdir(root, { recursive: true });
    writeFileSync(folder, 'a file in its place');
    const search = start({ loadHnsw: noHnsw });
    await works(search);
    expect((await search.status()).note).toMatch(/no snapshot can be saved: cannot create the folder/);
  });

  test('a damaged one is named until it is made again', async () => {
    await works(start({ loadHnsw: noHnsw }));
    await closeAll();
    const data = join(folder, files('.data')[0] ?? 'none');
    writeFileSync(data, readFileSync(data).subarray(0, -1));
    const search = start({ loadHnsw: noHnsw });
    expect(await works(search)).toMatch(/the int8 snapshot cannot be used and is made again: it has \d+ bytes instead of \d+/);
    expect((await search.status()).note).toMatch(/^hnswlib-node does not load \(not installed\)$/);
  });

  test('a read-only database gets none', async () => {
    await db.close();
    db = await openDatabase(join(root, 'skillflow.db'), { runtime: testRuntime(), readOnly: true });
    scratch.onCleanUp(() => db.close());
    await chmod(root, 0o755);
    await works(start());
    expect(existsSync(folder)).toBe(false);
  });

  test('what crashes left, and snapshots of spaces that are gone, are removed; the rest stays', async () => {
    await works(start({ loadHnsw: noHnsw }));
    await closeAll();
    const stem = files('.index')[0]?.slice(0, 16) ?? '';
    const mine = readdirSync(folder);
    for (const name of [`${stem}.abc.tmp`, '0123456789abcdef.int8.index', '0123456789abcdef.int8.0000000000000000.data']) {
      writeFileSync(join(folder, name), 'x');
    }
    writeFileSync(join(folder, 'notes.txt'), 'x');
    await add(
      db,
      spaceId,
      clustered(60, DIMENSIONS, 3).map((vector) => ({ vector })),
    );
    await works(start({ loadHnsw: noHnsw }));
    expect(readdirSync(folder)).toHaveLength(mine.length + 1);
    expect(readdirSync(folder)).toContain('notes.txt');
  });

  test('while another process saves, this one does not', async () => {
    await mkdir(folder);
    const search = start({ loadHnsw: noHnsw });
    await nearest(search, vectors[0] ?? zero, 1);
    await search.settled();
    const lock = `${files('.index')[0]?.slice(0, 16) ?? ''}.lock`;
    const before = files('.index').map((name) => readFileSync(join(folder, name)));
    const holder = { token: 't', pid: process.pid, host: testRuntime().host, until: Date.now() + 30_000 };
    writeFileSync(join(folder, lock), JSON.stringify(holder));
    await add(
      db,
      spaceId,
      clustered(60, DIMENSIONS, 3).map((vector) => ({ vector })),
    );
    await works(search);
    expect(files('.index').map((name) => readFileSync(join(folder, name)))).toEqual(before);
    expect(files('.lock')).toEqual([lock]);
  });
});
