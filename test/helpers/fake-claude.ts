import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const PROGRAM = fileURLToPath(new URL('fake-claude.mjs', import.meta.url));
const CALL = z.object({
  args: z.array(z.string()),
  input: z.string(),
  env: z.record(z.string(), z.string()),
  cwd: z.string(),
});

export interface FakeMode {
  readonly mode: string;
  readonly answer?: unknown;
  readonly version?: string;
  readonly stderr?: string;
  readonly denials?: readonly { readonly tool_name: string; readonly tool_input: unknown }[];
}

export interface FakeClaude {
  /** For the environment; the fake is in its first folder. */
  readonly path: string;
  set(mode: FakeMode): Promise<void>;
  calls(): readonly z.output<typeof CALL>[];
  /** Processes of the fake and of its children that are alive. */
  alive(): readonly number[];
  /** Whether a hanging call is under way. */
  hangs(): boolean;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // A zombie has ended; who should have waited for it is another matter.
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !/^\d+ \(.*\) Z/u.test(readFileSync(stat, 'utf8'));
}

function lines(path: string): readonly string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
}

/** Puts a program `claude` into `<folder>/bin` that does what it is told. */
export async function installFakeClaude(folder: string, first: FakeMode): Promise<FakeClaude> {
  const bin = join(folder, 'bin');
  const state = join(folder, 'state');
  await mkdir(bin, { recursive: true });
  await mkdir(state, { recursive: true });
  const script = join(bin, 'claude');
  await writeFile(script, `#!/bin/sh\nexec "${process.execPath}" "${PROGRAM}" "${state}" "$@"\n`);
  await chmod(script, 0o755);
  const set = (mode: FakeMode): Promise<void> => writeFile(join(state, 'mode.json'), JSON.stringify(mode));
  await set(first);
  return {
    path: [bin, process.env['PATH'] ?? ''].join(delimiter),
    set,
    calls: () => lines(join(state, 'calls.jsonl')).map((line) => CALL.parse(JSON.parse(line))),
    alive: () => lines(join(state, 'pids')).map(Number).filter(isAlive),
    hangs: () => existsSync(join(state, 'hangs')),
  };
}
