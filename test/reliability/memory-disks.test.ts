import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BusyError, NotFoundError, StorageError } from '../../src/errors.ts';
import { contents, hurried, start, testRuntime, useScratch } from '../store/scratch.ts';
import { keyOf, valueOf } from './damage-cases.ts';
import { openMemory, type OpenMemory } from './open-memory.ts';
import type { BundledProgram } from '../helpers/bundle-program.ts';
import { bundle } from './processes.ts';
import { createRandom } from './random.ts';
import { soundnessFaults } from './soundness.ts';

const SEED = Number(process.env['RELIABILITY_SEED'] ?? 20_261_121);
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const scratch = useScratch();

/** A small file system in memory, which goes after the test. */
async function mountFolder(size: string): Promise<string> {
  const folder = await scratch.folder();
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=755`, 'tmpfs', folder], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`cannot mount: ${stderr}`);
  scratch.onCleanUp(async () => void spawnSync('umount', ['--lazy', folder], { stdio: 'ignore' }));
  return folder;
}

const canMount = ((): boolean => {
  if (process.platform !== 'linux' || !isRoot) return false;
  const { status } = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
  return status === 0;
})();

/** Opened for the test, and closed after it before its folder goes. */
async function openIn(folder: string, runtime = testRuntime()): Promise<OpenMemory & { readonly path: string }> {
  const path = join(folder, 'skillflow.db');
  const opened = await openMemory(path, runtime);
  scratch.onCleanUp(() => opened.db.close());
  return { ...opened, path };
}

describe.skipIf(!canMount)(`a full disk (seed ${SEED})`, () => {
  function fill(folder: string, leave: number): void {
    const { bavail, bsize } = statfsSync(folder);
    writeFileSync(join(folder, 'filler'), Buffer.alloc(Math.max(0, bavail * bsize - leave)));
  }

  test('every write is whole or refused, reads go on, and with space all goes on in the same process', async () => {
    const random = createRandom(SEED);
    const folder = await mountFolder('6m');
    const { memory, path, db } = await openIn(folder);
    const there = new Map<string, string>();
    const batches: (readonly string[])[] = [];
    let made = 0;
    const store = async (): Promise<void> => {
      made += 1;
      const [key, value] = [`one-${made % 40}`, `v${made} ${'x'.repeat(random.below(9000))}`];
      await memory.store({ key, value });
      there.set(key, value);
    };
    const storeMany = async (): Promise<void> => {
      made += 1;
      const batch = Array.from({ length: 20 }, (_entry, at) => ({
        key: `batch-${made}-${at}`,
        value: `b${made} ${'y'.repeat(random.below(4000))}`,
      }));
      const keys = batch.map(({ key }) => key);
      batches.push(keys);
      await memory.storeMany(batch);
      for (const { key, value } of batch) there.set(key, value);
    };
    await store();
    let refused = 0;
    for (const leave of [0, 20_000, 100_000, 300_000, 60_000, 0]) {
      fill(folder, leave);
      for (let n = 0; n < 30; n += 1) {
        try {
          await (random.below(3) === 0 ? storeMany() : store());
        } catch (error) {
          expect(error, `seed ${SEED}, ${leave} bytes left`).toBeInstanceOf(StorageError);
          refused += 1;
        }
      }
      for (const [key, value] of there)
        expect((await memory.get({ key }))?.value, `seed ${SEED}, ${leave} bytes left: ${key}`).toBe(value);
      expect((await memory.search({ query: 'v1' })).total).toBeGreaterThanOrEqual(0);
      rmSync(join(folder, 'filler'));
      await store();
    }
    expect(refused).toBeGreaterThan(10);
    for (const keys of batches) {
      const found = await Promise.all(keys.map((key) => memory.get({ key })));
      expect([0, keys.length]).toContain(found.filter((entry) => entry !== undefined).length);
    }
    await db.close();
    expect(await soundnessFaults(path)).toEqual([]);
    const again = await openMemory(path, testRuntime());
    for (const [key, value] of there) expect((await again.memory.get({ key }))?.value).toBe(value);
    await again.db.close();
  });
});

describe('a folder that cannot be written to', () => {
  let worker: BundledProgram;
  beforeAll(async () => {
    worker = await bundle('damage-worker.ts');
  });
  afterAll(() => worker.remove());

  test.skipIf(process.platform === 'win32' || !isRoot)('is read; writes are refused, and no file changes', async () => {
    const folder = await scratch.folder();
    const { memory, path, db } = await openIn(folder);
    for (let n = 0; n < 20; n += 1) await memory.store({ namespace: 'kept', key: keyOf(n), value: valueOf(n) });
    await db.close();
    chmodSync(path, 0o444);
    chmodSync(folder, 0o555);
    const before = contents(folder);
    for (const readOnly of [true, false]) {
      const cases = JSON.stringify([{ path, entries: 20, readOnly }]);
      // Under an id that owns nothing; the script is read by the shell's user, since the project may be closed to others.
      const args = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', process.execPath, worker.path, cases];
      const { code, lines } = await start('setpriv', args);
      if (code !== 0 && lines.length === 0) return; // where others may not read the project there is nothing to test
      const { outcome } = JSON.parse(lines.at(-1) ?? '{}');
      if (readOnly) expect(outcome).toMatchObject({ refused: null, right: 20, wrong: [], missing: [], errors: [] });
      else expect(outcome.refused).toMatchObject({ code: 'storage' });
      expect(contents(folder)).toEqual(before);
    }
  });
});

/** Another process that holds the write lock of a database until it is released. */
async function lockElsewhere(path: string): Promise<{ release(): Promise<void> }> {
  const script = `import Database from 'libsql';
    const db = new Database(process.argv[1]);
    db.exec('BEGIN IMMEDIATE');
    process.stdout.write('locked');
    process.stdin.on('end', () => { db.exec('ROLLBACK'); db.close(); }).resume();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, path], {
    cwd: process.cwd(),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const closed = new Promise<void>((resolve) => void child.on('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', () => resolve());
    child.on('close', () => reject(new Error('the lock was not taken')));
  });
  return {
    release: () => {
      child.stdin.end();
      return closed;
    },
  };
}

describe('a database that another process keeps locked', () => {
  test('writes wait, then fail with BusyError and change nothing; reads go on; after it all is as before', async () => {
    const folder = await scratch.folder();
    const { memory, path, db } = await openIn(folder, testRuntime(hurried(20)));
    await memory.store({ key: 'k', value: 'before' });
    expect((await memory.search({ query: 'before' })).total).toBe(1);
    await memory.store({ key: 'late', value: 'waits for its place in the index' });
    const lock = await lockElsewhere(path);
    const writes = [
      memory.store({ key: 'k', value: 'after' }),
      memory.store({ key: 'new', value: 'after' }),
      memory.storeMany([
        { key: 'a', value: '1' },
        { key: 'b', value: '2' },
      ]),
      memory.delete({ key: 'k' }),
      memory.deleteNamespace('default'),
      memory.link({ key: 'k' }, { key: 'k2' }, 'about'),
      memory.purge({ key: 'k' }),
    ];
    expect((await memory.get({ key: 'k' }))?.value).toBe('before');
    const found = await memory.search({ query: 'before' });
    expect(found).toMatchObject({
      total: 1,
      vectors: expect.stringMatching(/1 entry stored lately is not searched by words yet/),
    });
    for (const outcome of await Promise.allSettled(writes)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(BusyError) });
    }
    expect((await memory.list()).entries.map(({ key, version }) => [key, version])).toEqual([
      ['k', 1],
      ['late', 1],
    ]);
    await lock.release();
    expect((await memory.search({ query: 'place' })).total).toBe(1);
    expect(await memory.store({ key: 'k', value: 'after' })).toMatchObject({ version: 2, created: false });
    await db.close();
    expect(await soundnessFaults(path)).toEqual([]);
  });

  test('a lock shorter than the patience is waited for', async () => {
    const { memory, path } = await openIn(await scratch.folder());
    await memory.store({ key: 'k', value: 'before' });
    const lock = await lockElsewhere(path);
    const write = memory.store({ key: 'k', value: 'after' });
    await new Promise((resolve) => void setTimeout(resolve, 700));
    await lock.release();
    expect(await write).toMatchObject({ version: 2 });
    expect((await memory.get({ key: 'k' }))?.value).toBe('after');
  });
});

/** Others do what they do between the turns of this process; within one, the file is looked at only now and then. */
const nextTurn = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve));

describe('a database that is taken away while it is open', () => {
  const READS: readonly ((opened: OpenMemory) => Promise<unknown>)[] = [
    ({ memory }) => memory.get({ key: 'k' }),
    ({ memory }) => memory.list(),
    ({ memory }) => memory.search({ query: 'ours' }),
  ];
  const WRITES: readonly ((opened: OpenMemory) => Promise<unknown>)[] = [
    ({ memory }) => memory.store({ key: 'k', value: 'lost?' }),
    ({ memory }) => memory.storeMany([{ key: 'k', value: 'lost?' }]),
    ({ memory }) => memory.delete({ key: 'k' }),
    ({ memory }) => memory.purge({ key: 'k' }),
    ({ memory }) => memory.deleteNamespace('default'),
  ];

  test.skipIf(process.platform === 'win32')(
    'deleted: no write is acknowledged, none makes an empty one, nothing is read',
    async () => {
      const folder = await scratch.folder();
      const opened = await openIn(folder, testRuntime(hurried(10_000)));
      await opened.memory.store({ key: 'k', value: 'v' });
      expect(await opened.memory.get({ key: 'k' })).toMatchObject({ value: 'v' });
      for (const name of readdirSync(folder)) rmSync(join(folder, name));
      await nextTurn();
      for (const use of [...WRITES, ...READS]) await expect(use(opened)).rejects.toThrow(/was deleted while it was open/);
      await opened.db.close();
      expect(readdirSync(folder)).toEqual([]);
      await expect(openMemory(opened.path, testRuntime(), true)).rejects.toThrow(NotFoundError);
    },
  );

  test.skipIf(process.platform === 'win32')(
    'replaced: no write is acknowledged, nothing is read of what was, and the one that is there now is left alone',
    async () => {
      const folder = await scratch.folder();
      const opened = await openIn(folder, testRuntime(hurried(10_000)));
      await opened.memory.store({ key: 'k', value: 'ours' });
      const reader = await openMemory(opened.path, testRuntime(hurried(10_000)), true);
      expect(await reader.memory.get({ key: 'k' })).toMatchObject({ value: 'ours' });
      const theirs = join(folder, 'theirs');
      mkdirSync(theirs);
      const other = await openIn(theirs);
      await other.memory.store({ key: 'k', value: 'theirs' });
      await other.db.close();
      for (const suffix of ['', '-wal', '-shm']) renameSync(`${opened.path}${suffix}`, join(theirs, `old${suffix}`));
      copyFileSync(other.path, opened.path);
      await nextTurn();
      const before = readFileSync(opened.path);
      for (const use of [...WRITES, ...READS]) await expect(use(opened)).rejects.toThrow(/was replaced while it was open/);
      for (const read of READS) await expect(read(reader)).rejects.toThrow(StorageError);
      await reader.db.close();
      await opened.db.close();
      expect(readFileSync(opened.path).equals(before)).toBe(true);
      const now = await openIn(folder);
      expect((await now.memory.get({ key: 'k' }))?.value).toBe('theirs');
    },
  );
});
