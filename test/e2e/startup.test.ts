import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BIN, createPlace, skillflow } from './product.ts';
import type { Place } from './product.ts';

const CLIENT = { name: 'test', version: '1' };
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': CLIENT,
  'io.modelcontextprotocol/clientCapabilities': {},
};
const lines = (...messages: readonly object[]): string =>
  messages.map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`).join('');
const INITIALIZE = lines(
  { id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: CLIENT } },
  { method: 'notifications/initialized' },
);
const LEGACY = INITIALIZE + lines({ id: 2, method: 'tools/list', params: {} });
const MODERN = lines(
  { id: 1, method: 'server/discover', params: { _meta: META } },
  { id: 2, method: 'tools/list', params: { _meta: META } },
);

/** The files of the product and its packages that a process ran, and the modules of Node, by V8's record of what was called. */
async function loaded(place: Place, args: readonly string[], input = ''): Promise<readonly string[]> {
  const folder = join(dirname(place.dir), `ran-${args[0]}`);
  mkdirSync(folder);
  const { stdout, code } = await skillflow(args, { cwd: place.dir, input, env: { NODE_V8_COVERAGE: folder } });
  expect({ code, says: stdout !== '' }).toEqual({ code: 0, says: true });
  const records = readdirSync(folder).map((name): { result: readonly { url: string }[] } =>
    JSON.parse(readFileSync(join(folder, name), 'utf8')),
  );
  return records.flatMap(({ result }) => result.map(({ url }) => (url.startsWith('node:') ? url : basename(url))));
}

const files = (urls: readonly string[]): readonly string[] => urls.filter((url) => !url.startsWith('node:'));

describe('what a start loads', () => {
  test('--version: one file, and no stream', async () => {
    const place = createPlace();
    const urls = await loaded(place, ['--version']);
    expect(files(urls)).toEqual([basename(BIN)]);
    expect(urls).not.toContain('node:stream');
  });

  test.each([
    ['2025', LEGACY],
    ['2026', MODERN],
  ])('mcp, until a client of %s has the tools: one file', async (_era, input) => {
    expect(files(await loaded(createPlace(), ['mcp'], input))).toEqual([basename(BIN)]);
  });

  test('mcp, with settings: they are read, and no tool is loaded', async () => {
    const place = createPlace();
    place.write('.skillflow/config.json', '{"mcpTools": "all"}');
    const urls = files(await loaded(place, ['mcp'], LEGACY));
    expect(urls).toContain('open-app.js');
    expect(urls.filter((url) => /^(?:mcp\.cjs|handler\.js|app-.*)$/.test(url))).toEqual([]);
    expect(urls.length).toBeLessThan(10);
  });

  test('mcp, at the first call: the server and the app', async () => {
    const call = lines({ id: 3, method: 'tools/call', params: { name: 'health', arguments: {} } });
    const urls = files(await loaded(createPlace(), ['mcp'], LEGACY + call));
    expect(urls).toEqual(expect.arrayContaining(['mcp.cjs', 'handler.js', 'open-app.js']));
  });
});
