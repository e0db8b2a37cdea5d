// Start-up of whole processes, as ratios against a bare `node -e 0` in the same run; medians of 20.
import { spawn } from 'node:child_process';
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

const OPENINGS: Readonly<Record<string, Opening>> = {
  '2025-11-25 (initialize)': { first: { method: 'initialize', params: LEGACY_INIT }, list: {} },
  '2026-07-28 (server/discover)': { first: { method: 'server/discover', params: { _meta: META } }, list: { _meta: META } },
};

/** Milliseconds from spawn until `tools/list` is answered, and the bytes of the answer. */
function untilListed({
  first,
  list,
}: Opening): Promise<{ readonly wallMs: number; readonly bytes: number; readonly tools: number }> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(process.execPath, [BIN, 'mcp'], { env: benchEnvironment(), stdio: ['pipe', 'pipe', 'inherit'] });
    const send = (message: object): void => void child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    let buffer = '';
    let answer: { wallMs: number; bytes: number; tools: number } | undefined;
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
          answer = {
            wallMs: performance.now() - started,
            bytes: Buffer.byteLength(JSON.stringify(message.result?.tools)),
            tools: message.result?.tools?.length ?? 0,
          };
          child.stdin.end();
        }
      }
    });
    child.on('error', reject);
    child.on('close', () => (answer === undefined ? reject(new Error('tools/list was not answered')) : resolve(answer)));
    send({ id: 1, ...first });
  });
}

async function main(): Promise<void> {
  const bare: { wall: number[]; cpu: number[] } = { wall: [], cpu: [] };
  const version: number[] = [];
  const listed = new Map(Object.keys(OPENINGS).map((name): [string, number[]] => [name, []]));
  let size = { bytes: 0, tools: 0 };
  for (const opening of Object.values(OPENINGS)) await untilListed(opening); // fills the code cache, as the first start of a user does
  for (let run = 0; run < RUNS; run += 1) {
    const { wallMs, cpuMs } = await measure(['-e', '0']);
    bare.wall.push(wallMs);
    bare.cpu.push(cpuMs);
    version.push((await measure([BIN, '--version'])).cpuMs);
    for (const [name, opening] of Object.entries(OPENINGS)) {
      const { wallMs: listedMs, bytes, tools } = await untilListed(opening);
      listed.get(name)?.push(listedMs);
      size = { bytes, tools };
    }
  }
  const cpu = median(bare.cpu);
  const wall = median(bare.wall);
  console.log(machine());
  console.log(`bare node -e 0: ${cpu.toFixed(0)} ms CPU, ${wall.toFixed(0)} ms wall (medians of ${RUNS})`);
  console.log(`skillflow --version: ${(median(version) / cpu).toFixed(2)}x CPU (at most 1.5x)`);
  for (const [name, times] of listed) {
    console.log(
      `skillflow mcp until tools/list is answered, ${name}: ${(median(times) / wall).toFixed(2)}x wall (at most 3.5x), ${median(times).toFixed(0)} ms`,
    );
  }
  console.log(`tools/list: ${size.tools} tools, ${size.bytes} bytes (at most 10,240)`);
}

await main();
