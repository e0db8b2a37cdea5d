import * as z from 'zod';
import type { ChangeSet } from '../../changes.ts';
import { UnavailableError } from '../../errors.ts';
import { agentTool } from './agent-tool.ts';
import { projectPath } from './project-file.ts';
import { forbiddenPath } from './secret-files.ts';
import { capped, redactedLines } from './shown-lines.ts';

const MAX_SHOWN = 48_000;
const MAX_PATHS = 300;

/** What git compares for a change set, or `null` where there is nothing to compare with. */
function compared(changes: ChangeSet): readonly string[] | null {
  if (changes.git === null) return null;
  if (changes.mode === 'staged') return ['--cached'];
  if (changes.mode === 'uncommitted') return changes.git.head === null ? null : ['HEAD'];
  return changes.base === null ? null : [changes.base];
}

export const gitDiffTool = agentTool({
  name: 'git_diff',
  description: 'Shows what the change under review changed, as a unified diff; new files that git does not know are not in it.',
  input: z.object({
    paths: z.array(z.string().min(1).max(4_096)).max(50).optional().describe('Files of the change set; default all'),
    context: z.number().int().min(0).max(50).optional().describe('Lines around each change; default 3'),
  }),
  call: async ({ paths, context = 3 }, { changes, git, redact, signal }) => {
    const against = compared(changes);
    if (against === null) return 'there is nothing to compare with: whole files are under review, read them';
    if (git === undefined) throw new UnavailableError('git is not available here: read the files instead');
    const known = new Set(changes.files.map(({ path }) => path));
    const asked: string[] = [];
    for (const path of paths ?? []) asked.push((await projectPath(changes.root, path)).path);
    const wanted = paths === undefined ? [...known] : asked.filter((path) => known.has(path));
    const shown = wanted.filter((path) => forbiddenPath(path) === null).slice(0, MAX_PATHS);
    if (shown.length === 0) return 'none of these files is in the change set';
    const flags = ['--no-ext-diff', '--no-textconv', '--no-color', '--relative', `--unified=${context}`];
    const result = await git(changes.root, ['--literal-pathspecs', 'diff', ...flags, ...against, '--', ...shown], signal);
    if (result.code !== 0) throw new UnavailableError(`git diff failed: ${redact(result.stderr.slice(0, 300))}`);
    const text = result.stdout.toString('utf8', 0, 4 * MAX_SHOWN);
    const rest = shown.length < wanted.length ? `\n… ${wanted.length - shown.length} more files: name them` : '';
    if (text === '') return `git shows no difference; files it does not know must be read${rest}`;
    return capped(redactedLines(text, redact).join('\n'), MAX_SHOWN, 'name fewer files') + rest;
  },
});
