import { posix } from 'node:path';
import { positionAt, problem } from './source-document.ts';
import type { Problem } from './source-document.ts';

const MAX_PROBLEMS = 20;

/** Quantifiers are bounded so that no text makes a pattern run for longer than a constant times its length. */
const PATTERNS = [
  /\]\(\s{0,8}<?([^)\s>]{1,1024})/g, // [text](target), ![alt](target)
  /^ {0,3}\[[^\]\n]{1,200}\]:[ \t]{0,8}<?([^\s>]{1,1024})/gm, // [label]: target
  /\b(?:href|src)\s{0,4}=\s{0,4}["']?([^"'\s>]{1,1024})/gi,
  /\b(file:[^\s)>"']{1,1024})/gi,
  /(?:^|\s)@((?:\.{1,2}|~)?\/[^\s)]{1,1024})/gm, // @path, which Claude Code includes
] as const;

interface Reference {
  readonly target: string;
  /** In the body. */
  readonly offset: number;
}

/** Overwrites code with spaces: what stands there is shown, not followed. */
function blankCode(body: string): string {
  const blank = (code: string): string => code.replaceAll(/[^\n]/g, ' ');
  let fence: string | null = null;
  const lines = body.split('\n').map((line) => {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1] ?? null;
    if (fence === null) {
      fence = mark;
      return mark === null ? line : blank(line);
    }
    if (mark?.startsWith(fence) === true) fence = null;
    return blank(line);
  });
  return lines.join('\n').replaceAll(/`[^`\n]{1,1024}`/g, blank);
}

function collect(body: string): Reference[] {
  const text = blankCode(body);
  const references = new Map<number, Reference>();
  for (const pattern of PATTERNS) {
    for (const match of text.matchAll(pattern)) {
      const target = match[1] ?? '';
      const offset = match.index + match[0].lastIndexOf(target);
      references.set(offset, { target, offset });
    }
  }
  return [...references.values()].sort((a, b) => a.offset - b.offset);
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A target as a path from the skill's folder; `outside` where it leaves it, `null` where it is no path. */
function resolve(target: string): { readonly outside: boolean; readonly path: string } | null {
  const bare = decodePercent(target.replace(/[?#].*$/s, ''))
    .replaceAll('\\', '/')
    .replace(/^\$\{CLAUDE_SKILL_DIR\}\/?/, './');
  if (bare === '') return null;
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(bare)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'file' && scheme.length > 1) return null;
  const path = posix.normalize(bare);
  const outside = scheme !== undefined || path.startsWith('/') || path.startsWith('~') || path === '..' || path.startsWith('../');
  return { outside, path };
}

/**
 * Checks the links, images, `file:` URLs and `@path` includes of a markdown body; code is left alone. A reference that
 * leaves the skill's folder (`..`, an absolute path, the home folder, `file:`) is an error; one to a file that is not
 * among `files` (paths from the folder, `/`-separated) a warning. At most 20 problems.
 */
export function checkReferences(body: string, bodyLine: number, files: ReadonlySet<string>): Problem[] {
  const problems: Problem[] = [];
  for (const { target, offset } of collect(body)) {
    if (problems.length >= MAX_PROBLEMS) break;
    const resolved = resolve(target);
    if (resolved === null) continue;
    const at = (hint: string): { line: number; column: number; hint: string } => {
      const { line, column } = positionAt(body, offset);
      return { line: line + bodyLine - 1, column, hint };
    };
    const shown = target.slice(0, 100);
    if (resolved.outside) {
      const hint = "Copy what is needed into the skill's folder and link to it there.";
      problems.push(problem('error', 'reference_outside', `"${shown}" points outside the skill's folder`, at(hint)));
    } else if (!/[$<{*]/.test(resolved.path) && !files.has(resolved.path.replace(/\/$/, ''))) {
      problems.push(
        problem('warning', 'reference_missing', `"${shown}" does not exist`, at('Correct the path or add the file.')),
      );
    }
  }
  return problems;
}
