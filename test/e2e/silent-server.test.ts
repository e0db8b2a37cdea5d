import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { describe, expect, test, type TestContext } from 'vitest';
import { startFaultProxy, type Fault, type FaultProxy } from '../helpers/fault-proxy.ts';
import { hasSqld, startSqld } from '../helpers/sqld.ts';
import { until } from './answers.ts';
import { createPlace, skillflow, startSkillflow } from './product.ts';

/** Below the time after which a call itself gives up: who ends sooner was told to. */
const SOONER_MS = 8_000;

/** A server on the loopback that accepts connections and never ends an answer. */
interface SilentServer {
  readonly url: string;
  /** Connections that have sent a request. */
  readonly asked: () => number;
  close(): Promise<void>;
}

/** @param answer what a request is answered with; the connection stays open */
async function startSilentServer(answer: string): Promise<SilentServer> {
  const sockets = new Set<Socket>();
  let asked = 0;
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined); // the client went away
    socket.once('data', () => {
      asked += 1;
      socket.write(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    asked: () => asked,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const HEADERS_ONLY = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"baton":null,';
const KINDS = [
  ['says nothing', ''],
  ['sends the head of an answer and stalls', HEADERS_ONLY],
] as const;

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a process prints until it ends, and how it ends. */
function ending(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined);
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })));
}

function request(id: number, method: string, params: object): string {
  return `${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`;
}

/** An MCP server process that has been asked to store something. */
function startStoring(url: string, env: NodeJS.ProcessEnv = {}): ChildProcessWithoutNullStreams {
  const child = startSkillflow(['mcp'], { cwd: createPlace().dir, env: { SKILLFLOW_DB_URL: url, ...env } });
  const client = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
  child.stdin.write(request(1, 'initialize', client));
  child.stdin.write(request(2, 'tools/call', { name: 'memory_store', arguments: { key: 'k', value: 'v' } }));
  return child;
}

// Most of what these tests do is to wait, so they wait together, and the longest begins first.
describe.skipIf(!hasSqld)('a database server that falls silent', { timeout: 60_000, concurrent: true }, () => {
  /** A server behind a proxy that passes everything, until `decide` is set. */
  async function serve({ onTestFinished }: TestContext): Promise<{ proxy: FaultProxy; decide: (body: string) => Fault }> {
    const behind: { decide: (body: string) => Fault } = { decide: () => 'pass' };
    const server = await startSqld();
    const proxy = await startFaultProxy(server.port, (body) => behind.decide(body));
    onTestFinished(async () => {
      await proxy.close();
      await server.stop();
    });
    return Object.assign(behind, { proxy });
  }

  test('at the commit: a command says that the outcome is unknown', async (context) => {
    const server = await serve(context);
    const options = { cwd: createPlace().dir, env: { SKILLFLOW_DB_URL: server.proxy.url } };
    expect(await skillflow(['memory', 'store', 'k', 'v'], options)).toMatchObject({ code: 0 });
    server.decide = (body) => (body.includes('"COMMIT"') ? 'never' : 'pass');
    const { code, stderr } = await skillflow(['memory', 'store', 'other', 'v'], options);
    expect(code).toBe(1);
    expect(stderr).toMatch(/it is unknown whether a write was stored: .*no answer within 20000 ms/);
  });

  test.for(['', '1'])('in a call: an MCP server leaves at the end of its input (replica: %j)', async (replica, context) => {
    const server = await serve(context);
    server.decide = (body) => (body.includes('"COMMIT"') && body.includes('baton') && body.includes('memory') ? 'never' : 'pass');
    const child = startStoring(server.proxy.url, replica === '' ? {} : { SKILLFLOW_DB_REPLICA: replica });
    const ended = ending(child);
    await until(() => (server.proxy.requests.length > 0 ? true : undefined), 'a request');
    server.decide = () => 'never';
    const told = performance.now();
    child.stdin.end();
    expect(await ended).toMatchObject({ code: 0 });
    expect(performance.now() - told).toBeLessThan(SOONER_MS);
  });
});

describe.each(KINDS)('a database server that %s', { timeout: 60_000, concurrent: true }, (_, answer) => {
  async function serve({ onTestFinished }: TestContext): Promise<SilentServer> {
    const server = await startSilentServer(answer);
    onTestFinished(() => server.close());
    return server;
  }

  test.for([
    ['directly', {}],
    ['with a replica', { SKILLFLOW_DB_REPLICA: '1' }],
  ] as const)('a command ends with an error that names it (%s)', async ([_how, more], context) => {
    const { url } = await serve(context);
    const begun = performance.now();
    const { code, stdout, stderr } = await skillflow(['memory', 'store', 'k', 'v'], {
      cwd: createPlace().dir,
      env: { SKILLFLOW_DB_URL: url, ...more },
    });
    expect(stdout).toBe('');
    expect(stderr).toMatch(/the database server http:\/\/127\.0\.0\.1:\d+ cannot be reached: no answer within 10000 ms/);
    expect(code).toBe(1);
    expect(performance.now() - begun).toBeLessThan(20_000); // one request's time, not several
  });

  test('health says so', async (context) => {
    const { url } = await serve(context);
    const options = { cwd: createPlace().dir, env: { SKILLFLOW_DB_URL: url } };
    const { code, stdout } = await skillflow(['--json', 'health'], options);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      checks: [{ name: 'database', status: 'failed' }, {}, {}, {}, {}, {}, {}, {}, {}],
    });
    expect(code).toBe(1);
  });

  test.for([
    ['SIGTERM', (child: ChildProcessWithoutNullStreams): void => void child.kill('SIGTERM')],
    ['the end of its input', (child: ChildProcessWithoutNullStreams): void => void child.stdin.end()],
  ] as const)('an MCP server with a call under way leaves at %s', async ([_when, tell], context) => {
    const { url, asked } = await serve(context);
    const child = startStoring(url);
    const ended = ending(child);
    await until(() => (asked() > 0 ? true : undefined), 'the request');
    const told = performance.now();
    tell(child);
    const { code, signal } = await ended;
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    expect(performance.now() - told).toBeLessThan(SOONER_MS);
  });

  test('a call that was under way at the end of the input is answered', async (context) => {
    const { url } = await serve(context);
    const child = startStoring(url);
    const ended = ending(child);
    child.stdin.end();
    const { stdout } = await ended;
    const answers = stdout
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(answers).toContainEqual(
      expect.objectContaining({
        id: 2,
        result: expect.objectContaining({
          isError: true,
          structuredContent: { error: expect.objectContaining({ code: 'unavailable' }) },
        }),
      }),
    );
  });

  test('a command leaves at SIGTERM', async (context) => {
    const { url, asked } = await serve(context);
    const child = startSkillflow(['memory', 'store', 'k', 'v'], { cwd: createPlace().dir, env: { SKILLFLOW_DB_URL: url } });
    const ended = ending(child);
    await until(() => (asked() > 0 ? true : undefined), 'the request');
    const told = performance.now();
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 130 });
    expect(performance.now() - told).toBeLessThan(SOONER_MS);
  });
});
