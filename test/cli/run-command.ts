import { runCli } from '../../src/cli/cli.ts';
import { allTools } from '../../src/tools/all-tools.ts';
import { listTool } from '../../src/tools/listing.ts';
import type { TestApp } from '../helpers/test-app.ts';

const listings = allTools.map(listTool);

/** How a command line ended, and what it printed. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Surroundings {
  readonly stdin?: Uint8Array;
  readonly stdoutTty?: boolean;
  readonly columns?: number;
  readonly stderrTty?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly ticks?: () => number;
}

/** Runs a command line over an app of a test's, which closes it. */
export async function runCommand(
  { skillflow }: TestApp,
  argv: readonly string[],
  {
    stdin = new Uint8Array(),
    stdoutTty = false,
    columns = 100,
    stderrTty = false,
    env = {},
    ticks = () => performance.now(),
  }: Surroundings = {},
): Promise<Ran> {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await runCli({
    argv,
    version: '0.0.0',
    listings,
    openApp: async () => ({
      app: skillflow.app,
      legacy: skillflow.legacy,
      call: skillflow.call,
      render: skillflow.render,
      [Symbol.asyncDispose]: async () => undefined,
    }),
    serveMcp: async () => undefined,
    print: (text) => void out.push(text),
    complain: (text) => void err.push(text),
    readStdin: async () => stdin,
    env,
    stdoutTty,
    stderrTty,
    columns,
    readLine: async () => null,
    dropTyped: async () => undefined,
    stdinTty: false,
    stderrSize: () => ({ columns: 100, rows: 24 }),
    ticks,
    signal: new AbortController().signal,
  });
  return { code, out: out.join(''), err: err.join('') };
}
