import { isUtf8 } from 'node:buffer';
import { closeSync, openSync, readSync } from 'node:fs';
import { InvalidInputError } from '../../errors.ts';
import { storageError } from '../../store/storage-error.ts';
import { checkName } from '../limits.ts';
import { absorbInSlices } from './absorb-in-slices.ts';
import type { AbsorbReport, ImportOptions } from './care.ts';
import type { CareDeps } from './care-deps.ts';
import { sourcePath } from './care-path.ts';
import { parseLine, type ParsedLine } from './export-line.ts';
import type { Content, Incoming, IncomingLink, Source } from './incoming.ts';
import { createBreath } from './watch.ts';

/** A value of 1 MiB has at most 6 MiB when all of it is escaped. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
const NEWLINE = 10;
const DATABASE_START = Buffer.from('SQLite format 3\0');
const WHAT = 'the import';

function wrong(line: number, problem: string, hint: string): InvalidInputError {
  return new InvalidInputError(`line ${line}: ${problem}`, { hint, details: { line } });
}

function toText(bytes: Buffer, line: number): string {
  if (line === 1 && bytes.subarray(0, DATABASE_START.length).equals(DATABASE_START)) {
    throw wrong(line, 'the file is a database, no export', 'Use `memory merge` for a database, `memory restore` for a backup.');
  }
  if (!isUtf8(bytes)) {
    throw wrong(line, 'it is not UTF-8', 'Give a file that `memory export` wrote; if it was edited, save it as UTF-8.');
  }
  return bytes.toString('utf8');
}

/** The lines of a file, of which one is in memory at a time. */
function* linesOf(path: string): Generator<{ readonly line: number; readonly text: string }> {
  const file = openSync(path, 'r');
  try {
    let line = 1;
    let parts: Buffer[] = [];
    let length = 0;
    const take = (part: Buffer): void => {
      parts.push(part);
      length += part.length;
      if (length > MAX_LINE_BYTES)
        throw wrong(line, `it has more than ${MAX_LINE_BYTES} bytes`, 'This is no export; give another file.');
    };
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const rest = chunk.subarray(0, readSync(file, chunk, 0, CHUNK_BYTES, null));
      if (rest.length === 0) break;
      let from = 0;
      for (let at = rest.indexOf(NEWLINE); at !== -1; at = rest.indexOf(NEWLINE, from)) {
        take(rest.subarray(from, at));
        yield { line, text: toText(Buffer.concat(parts), line) };
        [parts, length, from] = [[], 0, at + 1];
        line += 1;
      }
      take(rest.subarray(from));
    }
    if (length > 0) yield { line, text: toText(Buffer.concat(parts), line) };
  } finally {
    closeSync(file);
  }
}

interface Numbered {
  readonly line: number;
  readonly parsed: ParsedLine;
}

/** The lines of an export but its first and last, which are checked here. */
function* parsedLines(path: string): Generator<Numbered> {
  const counts = { entry: 0, version: 0, link: 0 };
  let begun = false;
  let ended = false;
  let last = 0;
  for (const { line, text } of linesOf(path)) {
    if (text.trim() === '') continue;
    last = line;
    if (ended) throw wrong(line, 'it comes after the end line', 'Import files one by one.');
    const parsed = parseLine(text, line);
    if (begun === (parsed.type === 'skillflow-memory')) {
      throw wrong(
        line,
        begun ? 'an export begins a second time' : 'no export begins here',
        'Give a file that `memory export` wrote.',
      );
    }
    begun = true;
    if (parsed.type === 'skillflow-memory') continue;
    if (parsed.type !== 'end') {
      counts[parsed.type] += 1;
      yield { line, parsed };
      continue;
    }
    ended = true;
    if (parsed.entries !== counts.entry || parsed.versions !== counts.version || parsed.links !== counts.link) {
      throw wrong(
        line,
        `the file has ${counts.entry} entries, ${counts.version} versions and ${counts.link} links; its end line says ${parsed.entries}, ${parsed.versions} and ${parsed.links}`,
        'Lines are missing or were added: export again, or correct the end line.',
      );
    }
  }
  if (!ended) throw wrong(last + 1, 'the end line is missing: the file was cut off', 'Export again, or copy the file again.');
}

/** An export as a source of so many entries. Errors while it is read: `InvalidInputError` naming the line. */
function fileSource(path: string, size: number): Source & Disposable {
  const lines = parsedLines(path);
  /** The line that was read to see where an entry ends. */
  let ahead: Numbered | undefined;
  const next = (): Numbered | undefined => {
    const line = ahead ?? lines.next().value ?? undefined;
    ahead = undefined;
    return line;
  };
  function historyOf(entry: Extract<ParsedLine, { type: 'entry' }>): readonly Content[] {
    const history: Content[] = [];
    for (let item = next(); item !== undefined; item = next()) {
      const { line, parsed } = item;
      if (parsed.type !== 'version') {
        ahead = item;
        break;
      }
      if (parsed.namespace !== entry.namespace || parsed.key !== entry.key) {
        throw wrong(line, 'a version of another entry than the one above', 'Put versions after their entry, oldest first.');
      }
      const { version } = parsed.content;
      if (version >= entry.content.version || version <= (history.at(-1)?.version ?? 0)) {
        throw wrong(
          line,
          `version ${version} is out of order`,
          'Put versions after their entry, oldest first, with smaller numbers.',
        );
      }
      history.push(parsed.content);
    }
    return history;
  }
  function* entries(): Generator<Incoming> {
    for (let item = next(); item !== undefined; item = next()) {
      const { line, parsed } = item;
      if (parsed.type === 'version') throw wrong(line, 'a version without its entry above', 'Put versions after their entry.');
      if (parsed.type !== 'entry') {
        ahead = item;
        return;
      }
      const { namespace, key, createdAt, deletedAt, content } = parsed;
      yield { namespace, key, createdAt, deletedAt, current: content, history: historyOf(parsed) };
    }
  }
  function* links(): Generator<IncomingLink> {
    for (let item = next(); item !== undefined; item = next()) {
      const { line, parsed } = item;
      if (parsed.type !== 'link') throw wrong(line, 'an entry after the links', 'Put entries before links.');
      yield parsed.link;
    }
  }
  return { size, entries, links, [Symbol.dispose]: () => void lines.return(undefined) };
}

/**
 * Reads an export to its end, so that a wrong line anywhere is known before anything is brought in.
 * @returns how many entries it has, of one namespace or all
 */
async function readThrough(path: string, { runtime }: CareDeps, { namespace, ...watch }: ImportOptions): Promise<number> {
  using source = fileSource(path, 0);
  const breathe = createBreath(runtime, watch, WHAT);
  let entries = 0;
  for (const entry of source.entries()) {
    if (namespace === undefined || entry.namespace === namespace) entries += 1;
    await breathe(() => watch.onProgress?.(0, `${entries} entries read`));
  }
  for (const _ of source.links()) await breathe(() => undefined);
  return entries;
}

/** See `Care.import`. The file is read twice: to see that it is right, then to bring it in. */
export async function importMemory(deps: CareDeps, path: string, options: ImportOptions = {}): Promise<AbsorbReport> {
  const { namespace, ...watch } = options;
  const { runtime } = deps;
  if (namespace !== undefined) checkName('namespace', namespace);
  const from = sourcePath(deps.projectRoot, path, deps.databasePath);
  try {
    const size = await readThrough(from, deps, options);
    const db = await deps.open('write');
    using source = fileSource(from, size);
    return await absorbInSlices(db, source, { now: runtime.now(), namespace, runtime, watch, what: WHAT, progressFrom: 0.1 });
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw storageError(error, 'read', from);
    throw error;
  }
}
