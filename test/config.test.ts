import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseDatabaseUrl } from '../src/config/database-url.ts';
import { loadConfig, type Config } from '../src/config.ts';
import { InvalidInputError } from '../src/errors.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'skillflow-config-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function load(env: Readonly<Record<string, string>> = {}, flags: Readonly<Record<string, string | boolean>> = {}): Config {
  return loadConfig({ projectRoot: root, rootSource: 'test', home: root, flags, env });
}

function file(settings: unknown): void {
  mkdirSync(join(root, '.skillflow'), { recursive: true });
  writeFileSync(join(root, '.skillflow', 'config.json'), typeof settings === 'string' ? settings : JSON.stringify(settings));
}

describe('settings', () => {
  test('have defaults', () => {
    expect(load()).toMatchObject({
      readOnly: false,
      threads: 0,
      provider: 'auto',
      databasePath: join(root, '.skillflow', 'skillflow.db'),
      databaseUrl: null,
      databaseToken: null,
      databaseReplica: false,
      databaseKey: null,
      embedding: 'off',
      embeddingUrl: null,
      embeddingModel: null,
      embeddingDimensions: 0,
      embeddingKey: null,
      mcpTools: 'default',
    });
    expect(new Set(Object.values(load().sources))).toEqual(new Set(['default']));
    expect(Object.isFrozen(load())).toBe(true);
  });

  test('come from flags before the environment before the file, and say so', () => {
    file({ threads: 1, mcpTools: 'all', embedding: 'lexical', databaseUrl: 'http://localhost:8080' });
    const config = load({ SKILLFLOW_THREADS: '2', SKILLFLOW_EMBEDDING: 'openai' }, { threads: '3' });
    expect(config).toMatchObject({ threads: 3, embedding: 'openai', mcpTools: 'all', databaseUrl: 'http://localhost:8080' });
    expect(config.sources).toMatchObject({ threads: 'flag', embedding: 'environment', mcpTools: 'file', readOnly: 'default' });
  });

  test.each([
    ['anthropicUrl', 'http://collector.example', 'SKILLFLOW_ANTHROPIC_URL'],
    ['anthropicUrl', 'https://127.0.0.1.collector.example/v1', 'SKILLFLOW_ANTHROPIC_URL'],
    ['databaseUrl', 'libsql://collector.example', 'SKILLFLOW_DB_URL'],
    ['embeddingUrl', 'https://user@collector.example', 'SKILLFLOW_EMBEDDING_URL'],
    ['embeddingUrl', 'https:collector.example', 'SKILLFLOW_EMBEDDING_URL'],
  ])('in the file of a project send no secrets elsewhere: %s %s', (name, value, variable) => {
    file({ [name]: value });
    expect(() => load()).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(new RegExp(`"${name}" in .*config.json names another machine`, 'u')),
        hint: expect.stringContaining(variable),
      }),
    );
    file({ [name]: 'http://127.0.0.1:9' });
    expect(load().sources).toMatchObject({ [name]: 'file' });
  });

  test('of Turso are known by its names, ours count first, and empty ones do not', () => {
    const turso = { TURSO_DATABASE_URL: 'libsql://a.turso.io', TURSO_AUTH_TOKEN: 'theirs' };
    expect(load(turso)).toMatchObject({ databaseUrl: 'https://a.turso.io' });
    expect(load(turso).databaseToken?.reveal()).toBe('theirs');
    const both = load({ ...turso, SKILLFLOW_DB_URL: 'http://localhost:8080', SKILLFLOW_DB_TOKEN: 'ours' });
    expect(both.databaseUrl).toBe('http://localhost:8080');
    expect(both.databaseToken?.reveal()).toBe('ours');
    expect(load({ ...turso, SKILLFLOW_DB_URL: '' }).databaseUrl).toBe('https://a.turso.io');
    expect(load({ SKILLFLOW_DB_URL: '', SKILLFLOW_READ_ONLY: '' })).toMatchObject({ databaseUrl: null, readOnly: false });
  });

  test('of claude-flow: only its all counts', () => {
    expect(load({ CLAUDE_FLOW_MCP_TOOLS: 'all' }).mcpTools).toBe('all');
    expect(load({ CLAUDE_FLOW_MCP_TOOLS: 'swarm,memory' }).mcpTools).toBe('default');
    expect(load({ CLAUDE_FLOW_MCP_TOOLS: 'all', SKILLFLOW_MCP_TOOLS: 'default' }).mcpTools).toBe('default');
  });

  test('that are secret are not printed', () => {
    const key = 'sesame, sesame, sesame';
    const config = load({ SKILLFLOW_DB_TOKEN: 'sesame', SKILLFLOW_DB_KEY: key, SKILLFLOW_EMBEDDING_KEY: 'sesame' });
    expect([config.databaseToken, config.databaseKey, config.embeddingKey].map((secret) => secret?.reveal())).toEqual([
      'sesame',
      key,
      'sesame',
    ]);
    expect(
      JSON.stringify(config) + inspect(config, { depth: 9, showHidden: true }) + inspect(config.databaseToken),
    ).not.toContain('sesame');
    expect(config.sources.databaseToken).toBe('environment');
  });

  test.each([
    ['databaseToken', 'SKILLFLOW_DB_TOKEN'],
    ['databaseKey', 'SKILLFLOW_DB_KEY'],
    ['embeddingKey', 'SKILLFLOW_EMBEDDING_KEY'],
  ])('%s in the file is refused without showing it', (name, variable) => {
    file({ [name]: 'sesame' });
    let error: unknown;
    try {
      load();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(InvalidInputError);
    expect(error).toMatchObject({ message: expect.stringContaining(name), hint: expect.stringContaining(variable) });
    expect(inspect(error)).not.toContain('sesame');
  });

  test('a short key of the database is refused at once, without showing it', () => {
    for (const key of ['sesame', 'x'.repeat(15)]) {
      expect(() => load({ SKILLFLOW_DB_KEY: key })).toThrow(
        /^the environment variable SKILLFLOW_DB_KEY has fewer than 16 bytes$/,
      );
    }
    expect(load({ SKILLFLOW_DB_KEY: 'x'.repeat(16) }).databaseKey).not.toBeNull();
    expect(load({ SKILLFLOW_DB_KEY: '' }).databaseKey).toBeNull();
  });

  test('a secret is no flag', () => {
    expect(load({}, { databaseToken: 'sesame' }).databaseToken).toBeNull();
  });

  test.each([
    [{ SKILLFLOW_THREADS: '65' }, /SKILLFLOW_THREADS is "65"; expected a whole number from 0 to 64/],
    [{ SKILLFLOW_READ_ONLY: 'maybe' }, /SKILLFLOW_READ_ONLY/],
    [{ SKILLFLOW_EMBEDDING: 'magic' }, /SKILLFLOW_EMBEDDING is "magic"; expected one of off, lexical, openai, transformers/],
    [{ SKILLFLOW_EMBEDDING_DIMENSIONS: '-1' }, /SKILLFLOW_EMBEDDING_DIMENSIONS/],
    [{ SKILLFLOW_EMBEDDING: 'openai', SKILLFLOW_EMBEDDING_URL: 'localhost' }, /SKILLFLOW_EMBEDDING_URL/],
    [{ SKILLFLOW_EMBEDDING: 'openai', SKILLFLOW_EMBEDDING_URL: 'https://me:it@host' }, /holds a secret/],
    [{ SKILLFLOW_MCP_TOOLS: 'some' }, /SKILLFLOW_MCP_TOOLS/],
    [{ SKILLFLOW_DB_URL: 'postgres://host' }, /SKILLFLOW_DB_URL has the scheme postgres:/],
    [{ TURSO_DATABASE_URL: 'nowhere' }, /TURSO_DATABASE_URL is no URL/],
    [{ SKILLFLOW_DB_REPLICA: '1' }, /SKILLFLOW_DB_REPLICA asks for a replica/],
  ])('%o is refused by name', (env, message) => {
    expect(() => load(env)).toThrow(message);
    expect(() => load(env)).toThrow(InvalidInputError);
  });

  test.each([
    ['{', /is not JSON/],
    ['[]', /one JSON object/],
    ['{"thread": 1}', /unknown settings: thread/],
    ['{"__proto__": 1, "constructor": 2}', /unknown settings/],
    ['{"databaseUrl": 5}', /"databaseUrl" in .* is 5; expected the URL/],
    ['{"embeddingModel": {}}', /"embeddingModel" in .*; expected text/],
  ])('a file with %s is refused', (text, message) => {
    file(text);
    expect(() => load()).toThrow(message);
  });
});

describe('the URL of a server', () => {
  const href = (text: string): string => parseDatabaseUrl(text, 'SKILLFLOW_DB_URL').href;

  test.each([
    ['libsql://db-org.turso.io', 'https://db-org.turso.io'],
    ['LIBSQL://DB.turso.io/', 'https://db.turso.io'],
    ['https://host:8443/path/', 'https://host:8443/path'],
    ['wss://host', 'https://host'],
    ['http://localhost:8080', 'http://localhost:8080'],
    ['ws://127.0.0.1:8080', 'http://127.0.0.1:8080'],
    ['http://[::1]:8080', 'http://[::1]:8080'],
    ['http://one.localhost:8080', 'http://one.localhost:8080'],
    ['libsql://sqld:8080?tls=0', 'http://sqld:8080'],
    ['libsql://host?tls=1', 'https://host'],
    [' libsql://host ', 'https://host'],
  ])('%s is %s', (text, expected) => {
    expect(href(text)).toBe(expected);
  });

  test.each([
    'http://example.com',
    'ws://10.0.0.1',
    'http://localhost.example.com',
    'http://127.0.0.1.example.com',
    'file:/tmp/x.db',
    'skillflow.db',
    ':memory:',
    'libsql://',
    'libsql://user@host',
    'libsql://host?authToken=x',
    'libsql://host?x=1',
    'libsql://host#x',
    'javascript://host',
  ])('%s is refused', (text) => {
    expect(() => href(text)).toThrow(InvalidInputError);
  });
});
