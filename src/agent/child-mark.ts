import { readFile } from 'node:fs/promises';
import { toSkillflowError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';

/** Tells a child process from all others: a pid is used again, a pid with its start time is not. */
export interface ChildMark {
  readonly host: string;
  readonly pid: number;
  /** In the words of the system. */
  readonly startTime: string;
}

const TIMEOUT_MS = 5_000;

async function ps(runtime: Runtime, field: string, pid: number): Promise<string> {
  const { stdout } = await runtime.exec('ps', ['-o', `${field}=`, '-p', String(pid)], { cwd: '/', timeoutMs: TIMEOUT_MS });
  return stdout.toString('utf8').trim();
}

/** When a process was started, and what it says it is; `null` where there is none, or the system does not tell. */
async function look(runtime: Runtime, pid: number): Promise<{ readonly startTime: string; readonly command: string } | null> {
  try {
    if (process.platform === 'linux') {
      const [stat, command, boot] = await Promise.all(
        [`/proc/${pid}/stat`, `/proc/${pid}/cmdline`, '/proc/sys/kernel/random/boot_id'].map((path) => readFile(path, 'utf8')),
      );
      // The name in parentheses may hold anything; the 22nd field is the start, in ticks since the boot (source: proc(5)).
      const ticks = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
      return ticks === undefined ? null : { startTime: `${boot?.trim()}/${ticks}`, command: command ?? '' };
    }
    if (process.platform !== 'darwin') return null;
    const [startTime, command] = [await ps(runtime, 'lstart', pid), await ps(runtime, 'command', pid)];
    return startTime === '' ? null : { startTime, command };
  } catch {
    return null; // it has ended meanwhile
  }
}

/** The mark of a child that was just started; `null` where there is no telling. */
export async function markChild(runtime: Runtime, pid: number): Promise<ChildMark | null> {
  const found = await look(runtime, pid);
  return found === null ? null : { host: runtime.host, pid, startTime: found.startTime };
}

/**
 * Ends a `claude` and its process group that outlived who started it: what it goes on to do would be paid for and heard by
 * nobody. Leaves alone what may be another process, and says so.
 */
export async function endOrphan({ host, pid, startTime }: ChildMark, runtime: Runtime): Promise<void> {
  const leave = (why: string): void => runtime.log('warn', `a claude of an earlier attempt (pid ${pid}) is left alone: ${why}`);
  if (host !== runtime.host) return leave(`it was started on the host ${host}`);
  const found = await look(runtime, pid);
  if (found?.startTime !== startTime) return; // it has ended
  if (!found.command.includes('claude')) return leave('it says that it is another program');
  try {
    const { code, stderr } = await runtime.exec('kill', ['-KILL', '--', `-${pid}`], { cwd: '/', timeoutMs: TIMEOUT_MS });
    if (code === 0) runtime.log('info', `ended a claude of an earlier attempt (pid ${pid})`);
    else if ((await look(runtime, pid))?.startTime === startTime) leave(stderr.trim());
  } catch (error) {
    leave(toSkillflowError(error).message);
  }
}
