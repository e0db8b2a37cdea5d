import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { answerOpening } from '../../src/mcp/opening.ts';
import type { OpeningAnswers } from '../../src/mcp/opening.ts';
import { recordOpening } from '../../src/mcp/record-opening.ts';
import { serve } from '../../src/mcp/serve.ts';

const VERSION = '1.2.3';
const TOOLS = [{ name: 'echo', description: 'Says what it was told.', inputSchema: { type: 'object' as const } }];
const CLIENT = { name: 'test', version: '1' };
const CAPABILITIES = { roots: { listChanged: true }, elicitation: {} };
const MODERN = '2026-07-28';
const META = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientInfo': CLIENT,
  'io.modelcontextprotocol/clientCapabilities': CAPABILITIES,
};

let answers: OpeningAnswers;
beforeAll(async () => {
  answers = await recordOpening(VERSION, TOOLS);
});

/** A server whose only tool tells how it was called; `opening` has the opening answered first. */
function session(opening: boolean): {
  readonly input: PassThrough;
  readonly lines: () => readonly string[];
  readonly stop: AbortController;
  /** Whether the whole server was needed; settles when the session is over. */
  readonly wasServed: Promise<boolean>;
} {
  const [input, output, stop] = [new PassThrough(), new PassThrough(), new AbortController()];
  let text = '';
  output.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const common = { input, output, signal: stop.signal, onError: () => undefined };
  const run = async (): Promise<boolean> => {
    const heard = opening ? await answerOpening({ ...common, answers: () => answers, tools: async () => answers.tools }) : [];
    if (heard === undefined) return false;
    await serve({
      ...common,
      version: VERSION,
      tools: async () => TOOLS,
      openHandler: async () => ({
        call: async (name, given, { askPerson }) => ({
          text: JSON.stringify({ name, given, canAsk: askPerson !== undefined }),
          isError: false,
        }),
        [Symbol.asyncDispose]: async () => undefined,
      }),
      said: heard,
      id: () => 'id',
    });
    return true;
  };
  const lines = (): readonly string[] => text.split('\n').filter((line) => line !== '');
  return { input, lines, stop, wasServed: run() };
}

const line = (message: object): string => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`;
const request = (id: unknown, method: string, params?: unknown): string =>
  line({ id, method, ...(params === undefined ? {} : { params }) });
const initialize = (version = '2025-11-25', capabilities: unknown = CAPABILITIES): string =>
  request(1, 'initialize', { protocolVersion: version, capabilities, clientInfo: CLIENT });
const INITIALIZED = line({ method: 'notifications/initialized' });
const call = (id: unknown, meta?: object): string =>
  request(id, 'tools/call', { name: 'echo', arguments: { text: 'é' }, ...(meta === undefined ? {} : { _meta: meta }) });

/** Writes all at once and closes. */
async function converse(opening: boolean, written: readonly string[]): Promise<{ lines: readonly string[]; served: boolean }> {
  const { input, lines, wasServed } = session(opening);
  input.end(written.join(''));
  const served = await wasServed;
  return { lines: lines(), served };
}

const sorted = (lines: readonly string[]): readonly string[] => [...lines].sort();

/** What comes of a session whose opening is answered first. */
async function opened(written: readonly string[]): Promise<{ lines: readonly string[]; served: boolean }> {
  const { lines, served } = await converse(true, written);
  return { lines: sorted(lines), served };
}

/** What the whole server alone answers, and whether it is needed. */
async function expected(written: readonly string[], served: boolean): Promise<{ lines: readonly string[]; served: boolean }> {
  const { lines } = await converse(false, written);
  return { lines: sorted(lines), served };
}

describe('an opening is answered as the server answers it, without the server', () => {
  test.each(['2024-10-07', '2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'])('%s', async (version) => {
    const written = [initialize(version), INITIALIZED, request(2, 'tools/list'), request('p', 'ping')];
    expect(await opened(written)).toEqual(await expected(written, false));
  });

  test(MODERN, async () => {
    const written = [request(1, 'server/discover', { _meta: META }), request(2, 'tools/list', { _meta: META })];
    expect(await opened(written)).toEqual(await expected(written, false));
  });

  test('whatever pieces it comes in', async () => {
    const { input, lines, wasServed } = session(true);
    for (const byte of Buffer.from(`${initialize()}${INITIALIZED}${request(2, 'tools/list', {})}`)) {
      input.write(Buffer.from([byte]));
      await turn();
    }
    expect(lines()).toHaveLength(2);
    input.end();
    expect(await wasServed).toBe(false);
  });
});

describe('the server takes over', () => {
  test('at the first call, and knows what the client said of itself', async () => {
    const written = [initialize(), INITIALIZED, request(2, 'tools/list', {}), call(3), call(4)];
    expect(await opened(written)).toEqual(await expected(written, true));
    const { lines } = await converse(true, [initialize(), INITIALIZED, call(2)]);
    expect(lines[1]).toContain(String.raw`\"canAsk\":true`);
    const modern = [request(1, 'server/discover', { _meta: META }), request(2, 'tools/list', { _meta: META }), call(3, META)];
    expect(await opened(modern)).toEqual(await expected(modern, true));
  });

  test('in a session that goes on, with an id that was used before', async () => {
    const { input, lines, stop, wasServed } = session(true);
    input.write(initialize());
    input.write(INITIALIZED);
    while (lines().length < 1) await turn();
    input.write(call(1));
    while (lines().length < 2) await turn();
    input.write(request(2, 'tools/list'));
    while (lines().length < 3) await turn();
    expect(lines().map((text) => JSON.parse(text).id)).toEqual([1, 1, 2]);
    stop.abort();
    expect(await wasServed).toBe(true);
  });

  test.each([
    ['a version that is not known', [initialize('1999-01-01')]],
    ['a client without a name', [request(1, 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: {} })]],
    ['capabilities that are none', [initialize('2025-11-25', { roots: true })]],
    ['a list without an introduction', [request(1, 'tools/list')]],
    ['a second introduction', [initialize(), initialize()]],
    ['an introduction after a look at the server', [request(1, 'server/discover', { _meta: META }), initialize()]],
    ['a version named like a member of objects', [initialize('constructor')]],
    ['a method that is not known', [initialize(), request(2, 'no/such')]],
    ['an id that is none', [initialize(), request(null, 'tools/list'), request(1.5, 'ping')]],
    ['a page of the list', [initialize(), request(2, 'tools/list', { cursor: 'x' })]],
    ['what is no JSON', [initialize(), 'nonsense\n', request(2, 'ping')]],
    ['a batch', [`[${initialize().trim()}]\n`]],
    ['an envelope with more in it', [request(1, 'server/discover', { _meta: { ...META, more: 1 } })]],
    [
      'an envelope of another version',
      [request(1, 'server/discover', { _meta: { ...META, [Object.keys(META)[0] ?? '']: '2027-01-01' } })],
    ],
    ['a long line', [initialize(), request(2, 'ping', { long: 'x'.repeat(100_000) })]],
  ])('for %s', async (_what, written) => {
    expect(await opened(written)).toEqual(await expected(written, true));
  });
});

test('any session is answered as by the server alone', async () => {
  const meta = fc.constantFrom(undefined, {}, META, { progressToken: 1 }, { ...META, progressToken: 'p' });
  const params = fc.oneof(
    fc.constant(undefined),
    meta.map((_meta) => (_meta === undefined ? {} : { _meta })),
  );
  const message = fc.oneof(
    fc.constantFrom(
      initialize(),
      initialize('2024-11-05'),
      initialize('x'),
      initialize('2025-06-18', 3),
      INITIALIZED,
      '\n',
      '{}\n',
    ),
    fc
      .tuple(fc.constantFrom('tools/list', 'ping', 'server/discover', 'initialize', 'tools/call', 'no/such'), params)
      .map(([method, given]) => ({ method, given })),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(message, { maxLength: 6 }), async (messages) => {
      const written = messages.map((one, id) =>
        typeof one === 'string' ? one.replace('"id":1', `"id":${id}`) : request(id, one.method, one.given),
      );
      const [plain, opened] = [await converse(false, written), await converse(true, written)];
      expect([...opened.lines].sort()).toEqual([...plain.lines].sort());
    }),
    { seed: 5, numRuns: 150 },
  );
});

describe('leaves', () => {
  test('when it is told to', async () => {
    const { input, lines, stop, wasServed } = session(true);
    input.write(initialize());
    while (lines().length < 1) await turn();
    stop.abort();
    expect(await wasServed).toBe(false);
  });

  test('when it was told to before it began', async () => {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const left = { input, output, answers: () => answers, tools: async () => answers.tools, onError: () => undefined };
    expect(await answerOpening({ ...left, signal: AbortSignal.abort() })).toBeUndefined();
  });

  test('when nobody reads', async () => {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const errors: string[] = [];
    const opening = answerOpening({
      input,
      output,
      answers: () => answers,
      tools: async () => answers.tools,
      signal: new AbortController().signal,
      onError: (message) => void errors.push(message),
    });
    output.destroy(new Error('write EPIPE'));
    expect(await opening).toBeUndefined();
    expect(errors).toEqual(['write EPIPE']);
  });
});
