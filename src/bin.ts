#!/usr/bin/env node
import { existsSync, readFileSync, writeSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Skillflow } from './app.ts';
import type { AppFlags } from './cli/cli.ts';
import type { McpListing } from './mcp/mcp-tools.ts';
import type { OpeningAnswers } from './mcp/opening.ts';

// This file becomes a CommonJS script, which starts sooner than a module; what it imports lazily stays in modules.

declare const SKILLFLOW_VERSION: string;
declare const MCP_BUNDLE_HASH: string;
declare const __dirname: string;

const MINIMUM = [20, 19] as const;
/** Milliseconds that a process whose work is over may take to end by itself. */
const LAST_MS = 300;

/** A parsed generated file: written by the build, so it is what the build says. */
function generated<T>(name: string): T {
  const value: T = JSON.parse(readFileSync(join(__dirname, name), 'utf8'));
  return value;
}

function assertNode(): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1])) return;
  process.stderr.write(`skillflow needs Node ${MINIMUM.join('.')} or newer; this is ${process.versions.node}\n`);
  process.exit(1);
}

/** Aborts on the first signal that asks to stop; a second one of the user's ends the process at once. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (stop.signal.aborted && name === 'SIGINT') process.exit(130);
      stop.abort();
    });
  }
  return stop.signal;
}

/** Where the user stands; when that folder is gone, its name, for the error that follows. */
function workingDirectory(): string {
  try {
    return process.cwd();
  } catch {
    return process.env['PWD'] ?? '.';
  }
}

/** Tells when a process is to leave. */
interface Leaving {
  readonly stop: AbortSignal;
  /** Aborts when stdin has ended: calls under way are answered, no others come. */
  readonly ended?: AbortSignal;
}

async function openProject(flags: AppFlags, verbose: boolean, leaving?: Leaving): Promise<Skillflow> {
  const { createRuntime, openApp } = await import('./open-app.ts');
  const project = await openApp({
    runtime: createRuntime(verbose ? 'debug' : 'warn'),
    version: SKILLFLOW_VERSION,
    cwd: workingDirectory(),
    packageDir: join(__dirname, '..'),
    workerUrl: pathToFileURL(join(__dirname, 'analysis-worker.js')),
    vectorWorkerUrl: pathToFileURL(join(__dirname, 'vector-worker.js')),
    flags,
  });
  if (leaving !== undefined) {
    const { leaveSilentServer } = await import('./app/closing.ts');
    leaveSilentServer(project, leaving.stop, leaving.ended, (work, ms) => void setTimeout(work, ms).unref());
  }
  return project;
}

/** Whether there may be a settings file of the project; looking for it loads nothing. */
function mayHaveSettings(from: string): boolean {
  for (let dir = from; ; dir = dirname(dir)) {
    if (existsSync(join(dir, '.skillflow', 'config.json'))) return true;
    if (dirname(dir) === dir) return false;
  }
}

/** Which tools clients see; settings that are wrong show the usual ones, and each call says what is wrong with them. */
async function shownTools(flags: AppFlags, verbose: boolean): Promise<keyof McpListing> {
  const { SKILLFLOW_MCP_TOOLS: own = '', CLAUDE_FLOW_MCP_TOOLS: foreign } = process.env;
  const given = flags.mcpTools ?? (own === '' ? undefined : own);
  if (given === 'all' || (given === undefined && foreign === 'all')) return 'all';
  if (given !== undefined) return 'default';
  if (!mayHaveSettings(resolve(flags.root ?? process.env['CLAUDE_PROJECT_DIR'] ?? workingDirectory()))) return 'default';
  try {
    const { createRuntime, readSettings } = await import('./open-app.ts');
    return (await readSettings({ runtime: createRuntime(verbose ? 'debug' : 'warn'), cwd: workingDirectory(), flags })).mcpTools;
  } catch {
    return 'default';
  }
}

const complain = (message: string): void => void process.stderr.write(`skillflow: ${message}\n`);

/** Answers a session's opening from what the build recorded; the lines of it, or `undefined` when no more will come. */
async function openSession(shown: () => Promise<keyof McpListing>, signal: AbortSignal): Promise<readonly string[] | undefined> {
  const { answerOpening } = await import('./mcp/opening.ts');
  const read = new Map<keyof McpListing, OpeningAnswers>();
  const answers = (name: keyof McpListing): OpeningAnswers => {
    const known = read.get(name) ?? generated<OpeningAnswers>(`mcp-opening-${name}.json`);
    read.set(name, known);
    return known;
  };
  const { stdin: input, stdout: output } = process;
  const tools = async (): Promise<OpeningAnswers['tools']> => answers(await shown()).tools;
  return answerOpening({ input, output, answers: () => answers('default'), tools, signal, onError: complain });
}

async function mcp(flags: AppFlags, verbose: boolean, signal: AbortSignal): Promise<void> {
  const end = new AbortController();
  process.stdin.once('end', () => end.abort());
  const shown = (): Promise<keyof McpListing> => shownTools(flags, verbose);
  const said = await openSession(shown, signal);
  if (said === undefined) return;
  const { loadServe } = await import('./mcp/load-serve.ts');
  const { keepHeapSmall } = await import('./app/small-heap.ts');
  const { homedir } = await import('node:os');
  keepHeapSmall();
  const { serve, keepCache } = loadServe({
    bundle: join(__dirname, 'mcp.cjs'),
    cacheDir: join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'skillflow'),
    uid: process.getuid?.(),
    hash: MCP_BUNDLE_HASH,
  });
  const leaving = { stop: signal, ended: end.signal };
  await serve({
    version: SKILLFLOW_VERSION,
    tools: async () => generated<McpListing>('mcp-tools.json')[await shown()],
    openHandler: async () => {
      const { createMcpHandler } = await import('./mcp/handler.ts');
      return createMcpHandler(() => openProject(flags, verbose, leaving));
    },
    input: process.stdin,
    output: process.stdout,
    said,
    signal,
    id: () => globalThis.crypto.randomUUID(),
    onError: complain,
  });
  keepCache();
}

async function readStdin(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** Of the terminal that stderr goes to; one that does not know says 0, and what is none says nothing. */
function stderrSize(): { readonly columns: number; readonly rows: number } {
  const { columns, rows } = process.stderr;
  return { columns: columns > 0 ? columns : 80, rows: rows > 0 ? rows : 24 };
}

/** Milliseconds in which what was typed before has come in. */
const TYPED_MS = 50;

/** Drops the lines that were typed on the terminal so far. */
async function dropTyped(): Promise<void> {
  const drop = (): void => undefined;
  process.stdin.on('data', drop);
  await new Promise((resolve) => {
    setTimeout(resolve, TYPED_MS);
  });
  process.stdin.off('data', drop).pause();
}

/** The next line on stdin; what was typed after it is dropped. */
async function readLine(signal: AbortSignal): Promise<string | null> {
  const { createInterface } = await import('node:readline');
  const lines = createInterface({ input: process.stdin });
  return new Promise((resolve) => {
    const end = (line: string | null): void => {
      signal.removeEventListener('abort', onAbort);
      resolve(line);
      lines.close();
    };
    const onAbort = (): void => end(null);
    signal.addEventListener('abort', onAbort, { once: true });
    lines.once('line', end);
    lines.once('close', () => end(null));
    if (signal.aborted) end(null);
  });
}

async function cli(argv: readonly string[]): Promise<void> {
  // A reader that has seen enough (`skillflow runs | head -1`) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  process.stderr.on('error', () => undefined); // nobody reads the complaints: the exit code tells
  const verbose = argv.includes('--verbose');
  const signal = stopSignal();
  const { runCli } = await import('./cli/cli.ts');
  process.exitCode = await runCli({
    argv,
    version: SKILLFLOW_VERSION,
    listings: generated('tools.json'),
    openApp: (flags) => openProject(flags, verbose, { stop: signal }),
    serveMcp: (flags) => mcp(flags, verbose, signal),
    print: (text) => void process.stdout.write(text),
    complain: (text) => void process.stderr.write(text),
    readStdin,
    env: process.env,
    readLine,
    dropTyped,
    stdinTty: process.stdin.isTTY,
    stdoutTty: process.stdout.isTTY,
    stderrTty: process.stderr.isTTY,
    columns: process.stdout.columns ?? 10_000,
    stderrSize,
    ticks: () => performance.now(),
    signal,
  });
}

/** Writes without a stream, which would cost a sixth of the process; what the system does not take is left to one. */
function printVersion(): void {
  const text = `${SKILLFLOW_VERSION}\n`;
  let written = 0;
  try {
    written = writeSync(1, text);
  } catch {
    // The stream waits for its reader, or says what is wrong.
  }
  if (written === text.length) process.exit();
  process.stdout.write(text.slice(written));
}

async function main(argv: readonly string[]): Promise<void> {
  assertNode();
  const line = argv.join(' ');
  // The two that scripts and clients wait for skip the command line's code.
  if (line === '--version') printVersion();
  else if (line === 'mcp' || line === 'mcp start') await mcp({}, false, stopSignal());
  else await cli(argv);
}

/** Ends the process when all is written: a connection that nobody waits for any more would keep it for minutes. */
function leave(): void {
  process.stdout.write('', () => void setTimeout(() => process.exit(), LAST_MS).unref());
}

main(process.argv.slice(2))
  .catch((error: unknown) => {
    process.stderr.write(`skillflow: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  })
  .finally(leave);
