// Start-up of whole processes, as ratios against a bare `node -e 0` in the same run, and what a server costs that waits;
// medians of 20.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchEnvironment, machine, measure, median } from './child.ts';

const RUNS = 20;
const BIN = join(process.cwd(), 'dist', 'bin.cjs');

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};
const LEGACY_INIT = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'bench', version: '1' } };

interface Opening {
  readonly first: { readonly method: string; readonly params: object };
  readonly list: object;
}

interface Listed {
  /** Milliseconds from spawn until `tools/list` is answered, and until the first call is. */
  readonly wallMs: number;
  readonly calledMs: number;
  /** MB that are resident when the tools are listed, and when the call is answered; none where Linux does not tell. */
  readonly listedMb: number | undefined;
  readonly calledMb: number | undefined;
  /** Of the list. */
  readonly bytes: number;
  readonly tools: number;
}

/** MB that are resident now. */
function residentMb(pid: number | undefined): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}

/** MB of a bare process that waits for its input. */
async function bareMb(): Promise<number | undefined> {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume(); process.stdout.write("."); '], {
    env: benchEnvironment(),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => void child.stdout.once('data', resolve));
  const resident = residentMb(child.pid);
  child.stdin.end();
  await new Promise((resolve) => void child.once('close', resolve));
  return resident;
}

const OPENINGS: Readonly<Record<string, Opening>> = {
  '2025-11-25 (initialize)': { first: { method: 'initialize', params: LEGACY_INIT }, list: {} },
  '2026-07-28 (server/discover)': { first: { method: 'server/discover', params: { _meta: META } }, list: { _meta: META } },
};

/** Opens a session, lists the tools, calls one, and leaves. */
function untilListed({ first, list }: Opening, cwd: string): Promise<Listed> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(process.execPath, [BIN, 'mcp'], { cwd, env: benchEnvironment(), stdio: ['pipe', 'pipe', 'inherit'] });
    const send = (message: object): void => void child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    let buffer = '';
    let listed: Omit<Listed, 'calledMs' | 'calledMb'> | undefined;
    let answer: Listed | undefined;
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      buffer += chunk;
      for (let end = buffer.indexOf('\n'); end !== -1; end = buffer.indexOf('\n')) {
        const line = buffer.slice(0, end);
        buffer = buffer.slice(end + 1);
        const message: { id?: number; result?: { tools?: unknown[] } } = JSON.parse(line);
        if (message.id === 1) {
          if (first.method === 'initialize') send({ method: 'notifications/initialized' });
          send({ id: 2, method: 'tools/list', params: list });
        } else if (message.id === 2) {
          listed = {
            wallMs: performance.now() - started,
            listedMb: residentMb(child.pid),
            bytes: Buffer.byteLength(JSON.stringify(message.result?.tools)),
            tools: message.result?.tools?.length ?? 0,
          };
          const params = { name: 'memory_store', arguments: { key: 'bench', value: 'a fact' }, ...list };
          send({ id: 3, method: 'tools/call', params });
        } else if (message.id === 3 && listed !== undefined) {
          answer = { ...listed, calledMs: performance.now() - started, calledMb: residentMb(child.pid) };
          child.stdin.end();
        }
      }
    });
    child.on('error', reject);
    child.on('close', () => (answer === undefined ? reject(new Error('tools/list was not answered')) : resolve(answer)));
    send({ id: 1, ...first });
  });
}

const megabytes = (values: readonly (number | undefined)[]): string =>
  `${median(values.flatMap((value) => value ?? [])).toFixed(0)} MB`;

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skillflow-bench-'));
  const bare: { wall: number[]; cpu: number[]; mb: (number | undefined)[] } = { wall: [], cpu: [], mb: [] };
  const version: number[] = [];
  const listed = new Map(Object.keys(OPENINGS).map((name): [string, Listed[]] => [name, []]));
  for (const opening of Object.values(OPENINGS)) await untilListed(opening, folder); // fills the code cache, as the first start of a user does
  for (let run = 0; run < RUNS; run += 1) {
    const { wallMs, cpuMs } = await measure(['-e', '0']);
    bare.wall.push(wallMs);
    bare.cpu.push(cpuMs);
    bare.mb.push(await bareMb());
    version.push((await measure([BIN, '--version'])).cpuMs);
    for (const [name, opening] of Object.entries(OPENINGS)) listed.get(name)?.push(await untilListed(opening, folder));
  }
  rmSync(folder, { recursive: true, force: true });
  const cpu = median(bare.cpu);
  const wall = median(bare.wall);
  console.log(machine());
  console.log(
    `bare node -e 0: ${cpu.toFixed(0)} ms CPU, ${wall.toFixed(0)} ms wall (medians of ${RUNS}); waiting for input: ${megabytes(bare.mb)}`,
  );
  console.log(`skillflow --version: ${(median(version) / cpu).toFixed(2)}x CPU (at most 1.5x)`);
  for (const [name, times] of listed) {
    const ms = median(times.map(({ wallMs }) => wallMs));
    const called = median(times.map(({ calledMs }) => calledMs));
    console.log(
      `skillflow mcp until tools/list is answered, ${name}: ${(ms / wall).toFixed(2)}x wall (at most 3.5x), ${ms.toFixed(0)} ms; ` +
        `until a first call is: ${called.toFixed(0)} ms`,
    );
    console.log(
      `  resident while it waits: ${megabytes(times.map(({ listedMb }) => listedMb))}, once it was called: ${megabytes(times.map(({ calledMb }) => calledMb))}`,
    );
  }
  const [sample] = listed.values().next().value ?? [];
  console.log(`tools/list: ${sample?.tools} tools, ${sample?.bytes} bytes (at most 10,240)`);
}

await main();
