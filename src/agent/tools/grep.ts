import * as z from 'zod';
import { SkillflowError } from '../../errors.ts';
import { agentTool, type ToolContext } from './agent-tool.ts';
import { globPattern } from './list-files.ts';
import { linearPattern } from './linear-pattern.ts';
import { projectPath, readStart } from './project-file.ts';
import { walkFiles } from './walk-files.ts';

const MAX_FILE_BYTES = 1024 * 1024;
const MAX_LINE = 2_000;
const MAX_MATCHES = 100;
const MAX_MS = 5_000;

/** What limited a search; said to the model, so that "nothing found" is not taken for more than it is. */
interface Limits {
  large: number;
  unreadable: number;
  longLines: number;
  stopped: string | null;
}

function limitsInWords(limits: Limits): string {
  const words = [
    limits.large > 0 ? `${limits.large} files over ${MAX_FILE_BYTES} bytes were not searched` : '',
    limits.unreadable > 0 ? `${limits.unreadable} binary or unreadable files were not searched` : '',
    limits.longLines > 0 ? `of ${limits.longLines} lines only the first ${MAX_LINE} characters were searched` : '',
    limits.stopped ?? '',
  ].filter((text) => text !== '');
  return words.length === 0 ? '' : `\n(${words.join('; ')})`;
}

async function textOf(path: string, { changes }: ToolContext, limits: Limits): Promise<string | null> {
  const reviewed = changes.files.find((file) => file.path === path)?.text;
  if (reviewed !== undefined) return reviewed;
  try {
    const place = await projectPath(changes.root, path);
    const file = await readStart(place.absolutePath, MAX_FILE_BYTES);
    if (file.complete) return file.text;
    limits.large += 1;
  } catch (error) {
    // A file that vanished or is no text is counted; what we did not expect is told to the model by the caller.
    if (!(error instanceof SkillflowError) && !(error instanceof Error && 'code' in error)) throw error;
    limits.unreadable += 1;
  }
  return null;
}

export const grepTool = agentTool({
  name: 'grep',
  description: `Searches the project's text files line by line; at most ${MAX_MATCHES} matches. Regular expressions: classes, groups, | * + ? {m,n} ^ $ \\d \\w \\s \\b; no look-around, no back references.`,
  input: z.object({
    pattern: z.string().min(1).max(500),
    regex: z.boolean().optional().describe('Whether the pattern is a regular expression; default: it stands for itself'),
    ignoreCase: z.boolean().optional(),
    folder: z.string().max(4_096).optional().describe('From the project root; default the root'),
    glob: z.string().min(1).max(200).optional().describe('Only files whose path from the root matches'),
  }),
  call: async ({ pattern, regex = false, ignoreCase = false, folder = '', glob }, context) => {
    const place = await projectPath(context.changes.root, folder);
    const source = regex ? pattern : pattern.replace(/[^A-Za-z0-9_ ]/gu, String.raw`\$&`);
    const fits = regex || ignoreCase ? linearPattern(source, ignoreCase) : (line: string): boolean => line.includes(pattern);
    const wanted = glob === undefined ? (): boolean => true : globPattern(glob);
    const limits: Limits = { large: 0, unreadable: 0, longLines: 0, stopped: null };
    const found: string[] = [];
    const end = context.runtime.ticks() + MAX_MS;
    const searchLines = (path: string, text: string): boolean => {
      for (const [index, line] of text.split(/\r?\n/u).entries()) {
        if (context.runtime.ticks() > end) limits.stopped = `stopped after ${MAX_MS} ms`;
        else if (found.length === MAX_MATCHES) limits.stopped = `stopped after ${MAX_MATCHES} matches`;
        if (limits.stopped !== null) return false;
        if (line.length > MAX_LINE) limits.longLines += 1;
        if (!fits(line.slice(0, MAX_LINE))) continue;
        context.saw(path);
        found.push(`${path}:${index + 1}: ${context.redact(line.slice(0, MAX_LINE)).trim().slice(0, 200)}`);
      }
      return true;
    };
    const walk = walkFiles(context.changes.root, place.path, context.signal);
    for await (const path of walk.files()) {
      if (!wanted(path)) continue;
      const text = await textOf(path, context, limits);
      if (text !== null && !searchLines(path, text)) break;
    }
    if (!walk.complete()) limits.stopped ??= 'the folder has more files than are looked at: name a narrower one';
    return (found.length === 0 ? 'no match' : found.join('\n')) + limitsInWords(limits);
  },
});
