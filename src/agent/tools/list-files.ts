import * as z from 'zod';
import { agentTool } from './agent-tool.ts';
import { linearPattern } from './linear-pattern.ts';
import { projectPath } from './project-file.ts';
import { walkFiles } from './walk-files.ts';

const MAX_FILES = 500;

const escaped = (text: string): string => text.replace(/[^A-Za-z0-9_/]/gu, String.raw`\$&`);

/** A test for a glob: `*` and `?` within a folder, `**` across folders; all else stands for itself. */
export function globPattern(glob: string): (path: string) => boolean {
  const source = glob
    .split(/(\*\*\/|\*\*|\*|\?)/u)
    .map((part) => {
      if (part === '**/') return '(?:.*/)?';
      if (part === '**') return '.*';
      if (part === '*') return '[^/]*';
      return part === '?' ? '[^/]' : escaped(part);
    })
    .join('');
  return linearPattern(`^${source}$`, false);
}

export const listFilesTool = agentTool({
  name: 'list_files',
  description: `Lists files of the project, at most ${MAX_FILES}. Leaves out node_modules, build products, links and secret files.`,
  input: z.object({
    folder: z.string().max(4_096).optional().describe('From the project root; default the root'),
    glob: z.string().min(1).max(200).optional().describe('e.g. `src/**/*.ts`, matched against the path from the project root'),
  }),
  call: async ({ folder = '', glob }, { changes, signal }) => {
    const place = await projectPath(changes.root, folder);
    const fits = glob === undefined ? (): boolean => true : globPattern(glob);
    const walk = walkFiles(changes.root, place.path, signal);
    const found: string[] = [];
    let more = false;
    for await (const path of walk.files()) {
      if (!fits(path)) continue;
      if (found.length === MAX_FILES) {
        more = true;
        break;
      }
      found.push(path);
    }
    const rest = more || !walk.complete() ? '\n… and more: ask for a folder or a narrower glob' : '';
    return found.length === 0 ? `no such file${rest}` : found.toSorted().join('\n') + rest;
  },
});
