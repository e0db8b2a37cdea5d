import matter from 'gray-matter';
import { problem } from './source-document.ts';
import type { Problem, Reading, SourceDocument } from './source-document.ts';
import { readYaml } from './yaml-source.ts';

/** gray-matter looks for an empty block with a pattern whose cost grows with lines × length. */
const MAX_CHARS = 64 * 1024;
const MAX_LINES = 2000;

/** A file with frontmatter, taken apart. */
export interface Frontmatter {
  readonly document: SourceDocument;
  /** The text below the closing line. */
  readonly body: string;
  /** The line on which the body starts. */
  readonly bodyLine: number;
}

type Edges = { readonly bodyLine: number } | { readonly refused: Problem };

/** Finds the closing `---` and refuses every form that gray-matter would treat in another way than the spec. */
function findEdges(text: string): Edges {
  const lines = text.split('\n');
  const opening = (lines[0] ?? '').trimEnd();
  const refuse = (code: string, message: string, line: number, hint: string): Edges => ({
    refused: problem('error', code, message, { line, hint }),
  });
  if (!opening.startsWith('---')) {
    return refuse(
      'no_frontmatter',
      'the file does not start with a frontmatter',
      1,
      'Start it with "---", keys, and "---" again.',
    );
  }
  if (opening !== '---') {
    const message = `the frontmatter opens with "${opening.slice(0, 40)}"; only "---" (YAML) is supported`;
    return refuse('frontmatter_language', message, 1, 'Open it with "---" alone and write YAML.');
  }
  const closingLine = lines.findIndex((line, i) => i > 0 && line.startsWith('---'));
  if (closingLine === -1) {
    return refuse('frontmatter_open', 'the frontmatter has no closing line', 1, 'End it with a line "---".');
  }
  if (lines[closingLine]?.trimEnd() !== '---') {
    const message = 'this line starts with "---" but is not the closing line';
    return refuse('frontmatter_open', message, closingLine + 1, 'Close the frontmatter with "---" alone, or indent this line.');
  }
  const size = lines.slice(0, closingLine).reduce((sum, line) => sum + line.length + 1, 0);
  if (closingLine > MAX_LINES || size > MAX_CHARS) {
    const message = `the frontmatter is longer than ${MAX_LINES} lines or ${MAX_CHARS / 1024} KB`;
    return refuse('too_large', message, 1, 'Move the swarm into swarm.yaml and text into the body.');
  }
  return { bodyLine: closingLine + 2 };
}

function refuseLanguage(): never {
  throw new Error('only YAML frontmatter is supported');
}

/**
 * Splits a file into frontmatter and body. Only YAML between lines `---` is read; other languages (`---js` runs code in
 * gray-matter) never reach a parser. Lines and columns of the document are those of the file.
 */
export function readFrontmatter(text: string): Reading<Frontmatter> {
  const edges = findEdges(text);
  if ('refused' in edges) return { ok: false, problems: [edges.refused] };
  let reading: Reading<SourceDocument> = readYaml('');
  matter(text, {
    // Options of any kind keep gray-matter from answering out of its cache.
    language: 'yaml',
    engines: {
      // The block starts right behind the opening dashes, so its line 1 is the rest of the file's, and lines agree. It
      // ends before the last line feed: a carriage return left there would become part of the last value.
      yaml: (block: string) => {
        reading = readYaml(`${block}\n`);
        return {};
      },
      json: refuseLanguage,
      javascript: refuseLanguage,
      coffee: refuseLanguage,
      toml: refuseLanguage,
    },
  });
  if (!reading.ok) return reading;
  const { bodyLine } = edges;
  const body = text
    .split('\n')
    .slice(bodyLine - 1)
    .join('\n');
  return { ok: true, value: { document: reading.value, body, bodyLine } };
}
