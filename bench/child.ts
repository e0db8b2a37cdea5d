import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, tmpdir, totalmem, type as osType } from 'node:os';
import { join } from 'node:path';

/** What a whole process cost. */
export interface Cost {
  readonly wallMs: number;
  /** User + system time of the process, its threads included. */
  readonly cpuMs: number;
  /** The most memory that was resident, in MB. */
  readonly rssMb: number;
  readonly stdout: string;
  readonly code: number | null;
}

/** An environment without what would slow every Node process alike and so flatter the ratios. */
export function benchEnvironment(): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _certificates, NODE_OPTIONS: _options, ...env } = process.env;
  return env;
}

/** Runs `node ...args` to its end and reads what it cost from a preloaded exit hook. */
export async function measure(args: readonly string[], cwd = process.cwd()): Promise<Cost> {
  const folder = mkdtempSync(join(tmpdir(), 'skillflow-bench-'));
  try {
    const hook = join(folder, 'hook.cjs');
    const result = join(folder, 'cost.json');
    writeFileSync(
      hook,
      `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(result)}, JSON.stringify(process.resourceUsage())));`,
    );
    const started = performance.now();
    const child = spawn(process.execPath, ['--require', hook, ...args], {
      cwd,
      env: benchEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    const wallMs = performance.now() - started;
    const usage: NodeJS.ResourceUsage = JSON.parse(readFileSync(result, 'utf8'));
    return { wallMs, cpuMs: (usage.userCPUTime + usage.systemCPUTime) / 1000, rssMb: usage.maxRSS / 1024, stdout, code };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/** One line on the machine, for beside the figures. */
export function machine(): string {
  const gb = Math.round(totalmem() / 1024 ** 3);
  return `Node ${process.versions.node}, ${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), ${gb} GB, ${osType()} ${release()}`;
}
