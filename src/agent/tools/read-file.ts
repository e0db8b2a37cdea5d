import * as z from 'zod';
import { agentTool } from './agent-tool.ts';
import { projectPath, readStart } from './project-file.ts';
import { capped, numbered, redactedLines } from './shown-lines.ts';

/** Bytes of a file that are read, and characters of it that are shown at once. */
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_SHOWN = 32_000;

export const readFileTool = agentTool({
  name: 'read_file',
  description: 'Reads a text file of the project, with line numbers. Secrets in it are hidden. At most 32,000 characters a call.',
  input: z.object({
    path: z.string().min(1).max(4_096).describe('From the project root'),
    startLine: z.number().int().min(1).optional().describe('From 1; default 1'),
    lines: z.number().int().min(1).max(5_000).optional().describe('How many; default 400'),
  }),
  call: async ({ path, startLine = 1, lines = 400 }, { changes, redact, saw }) => {
    const place = await projectPath(changes.root, path);
    const reviewed = changes.files.find((file) => file.path === place.path)?.text;
    const file =
      reviewed === undefined
        ? await readStart(place.absolutePath, MAX_BYTES)
        : { text: reviewed, bytes: Buffer.byteLength(reviewed), complete: true };
    const all = redactedLines(file.text, redact);
    const shown = all.slice(startLine - 1, startLine - 1 + lines);
    if (shown.length === 0) return `${place.path} has ${all.length} lines`;
    saw(place.path);
    const head = `${place.path}, lines ${startLine}–${startLine + shown.length - 1} of ${all.length}${file.complete ? '' : ` in its first ${MAX_BYTES} of ${file.bytes} bytes`}\n`;
    return head + capped(numbered(shown, startLine), MAX_SHOWN, 'ask for fewer lines');
  },
});
