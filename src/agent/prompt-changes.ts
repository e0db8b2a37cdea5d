import type { ChangeSet, SourceFile } from '../changes.ts';
import { SkillflowError } from '../errors.ts';
import { projectPath, readStart } from './tools/project-file.ts';
import { forbiddenPath } from './tools/secret-files.ts';
import { numbered, redactedLines } from './tools/shown-lines.ts';

const MAX_LISTED = 500;
const MAX_FILE_BYTES = 1024 * 1024;
/** Characters of one file; the rest is left to the agent's tools. */
const MAX_FILE_SHOWN = 24_000;
/** Lines around a changed range. */
const AROUND = 20;

/**
 * Makes a text safe between `<data>` marks: it cannot close them. A prompt's reader is told that what lies between
 * them is no instruction.
 */
export function asData(name: string, text: string): string {
  const label = name.replace(/[<>"\n\r]/gu, '_').slice(0, 300);
  return `<data name="${label}">\n${text.replace(/<(\/?)data\b/giu, '<$1_data')}\n</data>`;
}

/** First and last line (from 1) of what is shown, joined where they meet. */
function shownRanges(file: SourceFile, lines: number): readonly { readonly start: number; readonly end: number }[] {
  if (file.changed === 'all') return [{ start: 1, end: lines }];
  const joined: { start: number; end: number }[] = [];
  for (const { start, end } of file.changed.toSorted((a, b) => a.start - b.start)) {
    const from = Math.max(1, start - AROUND);
    const to = Math.min(lines, end + AROUND);
    const last = joined.at(-1);
    if (last !== undefined && from <= last.end + 1) last.end = Math.max(last.end, to);
    else joined.push({ start: from, end: to });
  }
  return joined;
}

async function textOf(root: string, file: SourceFile): Promise<string | null> {
  if (file.text !== undefined) return file.text.length > MAX_FILE_BYTES ? null : file.text;
  if (file.bytes > MAX_FILE_BYTES) return null;
  try {
    return (await readStart((await projectPath(root, file.path)).absolutePath, MAX_FILE_BYTES)).text;
  } catch (error) {
    // It vanished or is no text: the list of files still names it, and its contents are said to be absent.
    if (error instanceof SkillflowError || (error instanceof Error && 'code' in error)) return null;
    throw error;
  }
}

async function fileContents(root: string, file: SourceFile, room: number, redact: (text: string) => string) {
  const text = await textOf(root, file);
  if (text === null) return null;
  const lines = redactedLines(text, redact);
  const parts = shownRanges(file, lines.length).map(({ start, end }) => numbered(lines.slice(start - 1, end), start));
  const whole = parts.join('\n…\n');
  const most = Math.min(room, MAX_FILE_SHOWN);
  return asData(file.path, whole.length > most ? `${whole.slice(0, most)}\n… cut here: read the rest with your tools` : whole);
}

function listOf(changes: ChangeSet): string {
  const lines = changes.files.slice(0, MAX_LISTED).map(({ path, status, changed }) => {
    const ranges =
      changed === 'all'
        ? 'whole'
        : changed
            .slice(0, 20)
            .map(({ start, end }) => `${start}–${end}`)
            .join(', ');
    return `${path} (${status}; lines: ${ranges})`;
  });
  if (changes.files.length > MAX_LISTED) lines.push(`… and ${changes.files.length - MAX_LISTED} more`);
  return lines.join('\n');
}

/**
 * What is under review: the list of files (at most 500), and the changed parts of as many as fit into `maxCharacters`,
 * in the change set's order. Files that hold secrets by their name are listed and not shown.
 */
export async function promptChanges(
  changes: ChangeSet,
  maxCharacters: number,
  redact: (text: string) => string,
): Promise<string> {
  if (changes.files.length === 0) return 'No files were selected: look into the project for what the task needs.';
  const shown: string[] = [];
  let room = maxCharacters;
  let left = 0;
  for (const file of changes.files) {
    if (room < 500 || forbiddenPath(file.path) !== null) {
      left += 1;
      continue;
    }
    const contents = await fileContents(changes.root, file, room, redact);
    if (contents === null) left += 1;
    else {
      shown.push(contents);
      room -= contents.length;
    }
  }
  const rest = left === 0 ? '' : `\n\n${left} files are not shown here: read them with your tools where you may.`;
  return `Files under review:\n${asData('files', listOf(changes))}\n\nTheir changed parts, with line numbers:\n${shown.join('\n\n')}${rest}`;
}
