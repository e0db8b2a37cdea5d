import { copyFileSync, writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { NotSupportedError } from '../../../src/errors.ts';
import { createCare } from '../../../src/memory/care/create-care.ts';
import { databaseBackends, onServer } from '../../helpers/databases.ts';
import { testRuntime, useScratch } from '../../store/scratch.ts';
import { everything, link, noReport, NOW, openPlace, put, say, type Place } from './place.ts';

const scratch = useScratch();

describe.skipIf(!onServer()).each(databaseBackends())('a memory on a server ($name)', ({ fresh }) => {
  async function openThere(): Promise<Place> {
    const root = await scratch.folder();
    const runtime = testRuntime({ now: () => NOW });
    const db = await (await fresh()).open(runtime);
    const path = join(root, '.skillflow', 'skillflow.db');
    return { root, path, db, care: createCare({ open: async () => db, runtime, projectRoot: root, databasePath: path }) };
  }

  test('is exported, imported, merged, counted, examined and compacted as a local one', async () => {
    const [local, remote] = [await openPlace(scratch, { isFile: true }), await openThere()];
    await local.db.write(async (queries) => {
      for (let n = 0; n < 300; n += 1) await put(queries, 'n', `key ${n}`, { value: { n, odd: 'a\0b\ud800', ü: -0 }, at: n });
    });
    const a = await say(local, 'a', 'one', { at: 1, importance: 0.1 + 0.2 });
    await say(local, 'a', 'two', { at: 2, expiresAt: NOW + 5000 });
    await link(local, a, await say(local, 'b', 'x'.repeat(300_000)), 'about', 'why');
    await local.care.export('e.jsonl');
    copyFileSync(join(local.root, 'e.jsonl'), join(remote.root, 'e.jsonl'));
    expect(await remote.care.import('e.jsonl')).toEqual(noReport({ added: 302, versions: 1, links: 1 }));
    expect(await everything(remote.db)).toEqual(await everything(local.db));
    expect(await remote.care.import('e.jsonl')).toEqual(noReport({ unchanged: 302 }));

    await remote.care.export('back.jsonl');
    expect(readFileSync(join(remote.root, 'back.jsonl'), 'utf8')).toBe(readFileSync(join(local.root, 'e.jsonl'), 'utf8'));

    await say(local, 'a', 'three', { at: 3 });
    copyFileSync((await local.care.backup()).path, join(remote.root, 'local.db'));
    expect(await remote.care.merge('local.db')).toEqual(noReport({ updated: 1, unchanged: 301, versions: 1 }));
    expect(await everything(remote.db)).toEqual(await everything(local.db));

    expect(await remote.care.stats()).toEqual({ ...(await local.care.stats()), fileBytes: null });
    expect(await remote.care.doctor()).toMatchObject({ ok: true });
    await remote.db.run(`UPDATE memory_entry SET hash = x'00' WHERE key = 'a'`);
    expect(await remote.care.doctor()).toMatchObject({ ok: false });
    expect(await remote.care.compact({ keepVersions: 1 })).toMatchObject({ versions: 1, bytesBefore: null, bytesAfter: null });
  }, 60_000);

  test('a wrong line of an import changes nothing', async () => {
    const remote = await openThere();
    const lines = Array.from({ length: 150 }, (_, n) =>
      JSON.stringify({ type: 'entry', namespace: 'n', key: `k${n}`, updatedAt: 1, value: n }),
    );
    writeFileSync(
      join(remote.root, 'e.jsonl'),
      ['{"type":"skillflow-memory","format":1}', ...lines, '{"type":"entry"}', ''].join('\n'),
    );
    await expect(remote.care.import('e.jsonl')).rejects.toMatchObject({ code: 'invalid_input', details: { line: 152 } });
    expect(await remote.db.all('SELECT id FROM memory_entry')).toEqual([]);
  }, 60_000);

  test('has no file to back up', async () => {
    const { care, root } = await openThere();
    copyFileSync((await (await openPlace(scratch, { isFile: true })).care.backup()).path, join(root, 'b.db'));
    const calls = [
      () => care.backup(),
      () => care.snapshot(),
      () => care.persist(),
      () => care.restore('b.db'),
      () => care.doctor({ repair: true }),
    ];
    for (const call of calls) {
      const error: unknown = await call().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(NotSupportedError);
      expect(error).toMatchObject({ hint: expect.stringMatching(/export/i) });
    }
  }, 60_000);
});
