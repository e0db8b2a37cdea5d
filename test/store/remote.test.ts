import { generateKeyPairSync, sign } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  ConflictError,
  ForbiddenError,
  InternalError,
  InvalidInputError,
  NotFoundError,
  OutcomeUnknownError,
  SchemaTooNewError,
  UnavailableError,
} from '../../src/errors.ts';
import type { Database } from '../../src/store/database.ts';
import { migrateTo, SCHEMA_VERSION } from '../../src/store/migration.ts';
import { openRemoteDatabase, type OpenRemoteOptions } from '../../src/store/open-remote.ts';
import { createServerTemplate, type ServerTemplate } from '../helpers/server-template.ts';
import { hasSqld, startSqld, type Sqld } from '../helpers/sqld.ts';
import { hurried, testRuntime } from './scratch.ts';

const cleaning: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const clean of cleaning.splice(0).reverse()) await clean();
});

/** @param from what its data begin as; default: there are none */
async function serve(env?: Readonly<Record<string, string>>, from?: string): Promise<Sqld> {
  const server = await startSqld(env, from);
  cleaning.push(() => server.stop());
  return server;
}

async function open(url: string, options: Partial<OpenRemoteOptions> = {}): Promise<Database> {
  const db = await openRemoteDatabase({ url, runtime: testRuntime(), ...options });
  cleaning.push(() => db.close());
  return db;
}

/** A server of ours that answers as told. */
async function fake(answer: RequestListener): Promise<string> {
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleaning.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

/** A key that a server trusts, and tokens signed with it (source: RFC 8037, EdDSA). */
function issuer(): { readonly publicKey: string; token(claims: object): string } {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const text = (data: object): string => Buffer.from(JSON.stringify(data)).toString('base64url');
  return {
    publicKey: String(publicKey.export({ format: 'jwk' }).x),
    token: (claims) => {
      const body = `${text({ alg: 'EdDSA', typ: 'JWT' })}.${text(claims)}`;
      return `${body}.${sign(null, Buffer.from(body), privateKey).toString('base64url')}`;
    },
  };
}

describe.skipIf(!hasSqld)('a database on a server', () => {
  let template: ServerTemplate;
  beforeAll(async () => {
    template = await createServerTemplate();
  });
  afterAll(() => template.remove());
  /** With all tables. */
  const ready = (env?: Readonly<Record<string, string>>): Promise<Sqld> => serve(env, template.folder);

  test('is made, marked, and found again', async () => {
    const { url } = await serve();
    const db = await open(url);
    expect(db).toMatchObject({ kind: 'remote', path: url, readOnly: false });
    expect(await db.get('PRAGMA user_version')).toEqual({ user_version: SCHEMA_VERSION });
    await db.run("INSERT INTO call (at, tool, surface, ok, duration_ms) VALUES (1, 'a', 'cli', 1, 1)");
    const again = await open(url);
    expect(await again.all('SELECT tool FROM call')).toEqual([{ tool: 'a' }]);
    expect(await again.integrity()).toBe('ok');
  });

  test('goes down to nothing and up again', async () => {
    const db = await open((await serve()).url);
    const schema = (): Promise<unknown> =>
      db.all("SELECT name, sql FROM sqlite_schema WHERE name <> 'sqlite_sequence' ORDER BY name");
    const before = await schema();
    await migrateTo(db, 0);
    expect(await schema()).toEqual([]);
    await migrateTo(db);
    expect(await schema()).toEqual(before);
  });

  test('is made once when several open it at the same time', async () => {
    const { url } = await serve();
    const dbs = await Promise.all(Array.from({ length: 4 }, () => open(url)));
    for (const db of dbs) expect(await db.get('PRAGMA user_version')).toEqual({ user_version: SCHEMA_VERSION });
  });

  test('of another program is left alone; one of a newer Skillflow too', async () => {
    const theirs = await serve();
    const raw = await open(theirs.url);
    await migrateTo(raw, 0);
    await raw.run('CREATE TABLE accounts (id INTEGER)');
    await expect(open(theirs.url)).rejects.toThrow(ConflictError);
    await expect(open(theirs.url, { readOnly: true })).rejects.toThrow(/another program/);
    expect(await raw.all("SELECT name FROM sqlite_schema WHERE name <> 'sqlite_sequence'")).toEqual([{ name: 'accounts' }]);
    const newer = await open((await serve()).url);
    await newer.run(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
    await expect(open(newer.path)).rejects.toThrow(SchemaTooNewError);
  });

  test('read-only: nothing is made, an old schema is not changed, writes are refused', async () => {
    const { url } = await serve();
    await expect(open(url, { readOnly: true })).rejects.toThrow(NotFoundError);
    const db = await open(url);
    const reader = await open(url, { readOnly: true });
    expect(await reader.all('SELECT tool FROM call')).toEqual([]);
    await expect(reader.write((q) => q.run('DELETE FROM call'))).rejects.toThrow(ForbiddenError);
    await migrateTo(db, SCHEMA_VERSION - 1);
    await expect(open(url, { readOnly: true })).rejects.toThrow(/older than/);
  });

  test('infinities, which cannot be sent, are refused', async () => {
    const db = await open((await ready()).url);
    await expect(db.get('SELECT ?', [Infinity])).rejects.toThrow(InvalidInputError);
    await expect(db.get('SELECT ?', [-Infinity])).rejects.toThrow(InvalidInputError);
  });

  test('a value of 1 MB, and one that is too large', async () => {
    const db = await open((await ready()).url);
    const text = 'ü'.repeat(500_000);
    expect(await db.get('SELECT ? AS text', [text])).toEqual({ text });
    await expect(db.get('SELECT ?', ['x'.repeat(20_000_000)])).rejects.toThrow(InvalidInputError);
  });

  test('an answer that is larger than the server sends says so, and is unknown where something was changed', async () => {
    const db = await open((await ready()).url);
    await db.run('CREATE TABLE large (text TEXT)');
    for (let n = 0; n < 12; n += 1) await db.run('INSERT INTO large VALUES (?)', ['x'.repeat(1_000_000)]);
    await expect(db.all('SELECT text FROM large')).rejects.toThrow(/larger than the database server .* sends/);
    expect(await db.all('SELECT text FROM large LIMIT 8')).toHaveLength(8);
    await expect(db.all('UPDATE large SET text = text RETURNING text')).rejects.toThrow(OutcomeUnknownError);
    const inside = db.write(async (q) => {
      await q.run("INSERT INTO large VALUES ('last')");
      await q.all('SELECT text FROM large');
    });
    await expect(inside).rejects.toThrow(InvalidInputError);
    expect(await db.get('SELECT count(*) AS n FROM large')).toEqual({ n: 12 });
  });

  test('a transaction that idles until others take its lock runs again, and stores nothing twice', async () => {
    const { url } = await ready();
    const slow = await open(url);
    const other = await open(url);
    const insert = "INSERT INTO call (at, tool, surface, ok, duration_ms) VALUES (1, ?, 'cli', 1, 1)";
    let runs = 0;
    const idle = slow.write(async (q) => {
      runs += 1;
      await q.run(insert, ['slow']);
      if (runs === 1) await other.run(insert, ['other']); // waits for the lock until the server takes it away
      await q.run(insert, ['slow']);
      await q.run(insert, ['slow']);
    });
    await idle;
    expect(runs).toBe(2);
    expect((await slow.all('SELECT tool FROM call ORDER BY id')).map((row) => row['tool'])).toEqual([
      'other',
      'slow',
      'slow',
      'slow',
    ]);
  });

  test('a token is asked for, checked, and never shown', async () => {
    const { publicKey, token } = issuer();
    const { url } = await ready({ SQLD_AUTH_JWT_KEY: publicKey });
    const good = token({ a: 'rw' });
    const db = await open(url, { authToken: good });
    expect(await db.all('SELECT tool FROM call')).toEqual([]);
    await expect(open(url)).rejects.toThrow(/refuses access without a token/);
    const expired = token({ a: 'rw', exp: 1 });
    for (const bad of [issuer().token({ a: 'rw' }), expired, 'nonsense']) {
      const error: unknown = await open(url, { authToken: bad }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ForbiddenError);
      expect(error).toMatchObject({ hint: expect.stringContaining('SKILLFLOW_DB_TOKEN') });
      for (let cause = error; cause instanceof Error; cause = cause.cause) {
        expect(JSON.stringify(cause, Object.getOwnPropertyNames(cause)) + String(cause.stack)).not.toContain(bad);
      }
    }
    const reading = await open(url, { authToken: token({ a: 'ro' }), readOnly: true });
    expect(await reading.all('SELECT tool FROM call')).toEqual([]);
    await expect(open(url, { authToken: token({ a: 'ro' }) }).then((ro) => ro.run('DELETE FROM call'))).rejects.toThrow(
      ForbiddenError,
    );
  });

  test('after close every call is an error, and closing again is none', async () => {
    const db = await open((await ready()).url);
    await db.close();
    await db.close();
    await expect(db.dataVersion()).rejects.toThrow(InternalError);
    await expect(db.integrity()).rejects.toThrow(InternalError);
  });
});

describe('what only claims to be a server', () => {
  // Pauses are short, while the waiting for a server, which counts real time, is not.
  const hurry = { runtime: testRuntime(hurried(50)), timeoutMs: 30_000 * 50 };

  test('redirects are not followed: they would carry the token away', async () => {
    const seen: string[] = [];
    const thief = await fake((request, response) => {
      seen.push(request.headers.authorization ?? 'no token');
      response.end();
    });
    const url = await fake((_, response) => void response.writeHead(307, { location: thief }).end());
    await expect(open(url, { ...hurry, authToken: 'sesame' })).rejects.toThrow(UnavailableError);
    expect(seen).toEqual([]);
  });

  test('an answer of another shape is no result', async () => {
    const results = JSON.stringify({ baton: null, base_url: null, results: [] });
    const url = await fake((_, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(results));
    await expect(open(url, hurry)).rejects.toMatchObject({ message: expect.any(String), hint: expect.any(String) });
  });

  test.each([
    'mysql://host',
    'file:///tmp/x.db',
    'http://example.com',
    'libsql://user:secret@host',
    'https://host?authToken=secret',
  ])('%s is refused before anything is sent', async (url) => {
    const error: unknown = await open(url).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InvalidInputError);
    expect(JSON.stringify(error, ['message', 'hint', 'details'])).not.toContain('secret@');
  });
});
