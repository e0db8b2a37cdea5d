import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFrontmatter } from '../../src/skill/frontmatter.ts';
import { frontmatterKeys, frontmatterSchema } from '../../src/skill/frontmatter-schema.ts';
import { checkReferences } from '../../src/skill/references.ts';
import type { Problem, Reading, SourceDocument } from '../../src/skill/source-document.ts';
import { swarmKeys, swarmSchema } from '../../src/skill/swarm-schema.ts';
import { toSwarmSpec } from '../../src/skill/swarm-spec.ts';
import { readToon } from '../../src/skill/toon-source.ts';
import { validate } from '../../src/skill/validate.ts';
import { readYaml } from '../../src/skill/yaml-source.ts';

const KEYS = 'agents type count name description coordination decision quorum topology mesh timeout 5m'.split(' ');
const MARKS = ': |:|- |\n|\n  |\n    |{|}|[|]|,|"|\'|>|&a |*a|!!x |? |#|\t|\r\n|---|%|@|\uFEFF|[2]{type,count}:'.split('|');
const VALUES = '0 -1 1e999 ~ null true << __proto__ é \u{1F600} |'.split(' ');
const words = fc.constantFrom(...KEYS, ...MARKS, ...VALUES);
const texts = fc.array(fc.oneof({ weight: 9, arbitrary: words }, { weight: 1, arbitrary: fc.string({ maxLength: 5 }) }), {
  maxLength: 40,
});

/** The problems that lie outside the text or say nothing. */
function misplaced(problems: readonly Problem[], text: string): readonly Problem[] {
  const lines = text.split('\n');
  return problems.filter(({ line, column, message }) => {
    const width = (lines[line - 1] ?? '').length;
    return line < 1 || line > lines.length + 1 || column < 1 || column > width + 2 || message === '';
  });
}

function swarmProblems(reading: Reading<SourceDocument>): readonly Problem[] {
  if (!reading.ok) return reading.problems;
  const { value, problems } = validate(swarmSchema, reading.value, swarmKeys);
  return value === null ? problems : [...problems, ...toSwarmSpec(value, reading.value).problems];
}

describe('whatever a file holds, reading it gives a value or problems with a place in it', () => {
  it('as YAML and as TOON', () => {
    fc.assert(
      fc.property(texts, (parts) => {
        const text = parts.join('');
        expect(misplaced(swarmProblems(readYaml(text)), text)).toEqual([]);
        expect(misplaced(swarmProblems(readToon(text)), text)).toEqual([]);
      }),
      { seed: 11, numRuns: 1500 },
    );
  });

  it('as frontmatter', () => {
    fc.assert(
      fc.property(texts, texts, (head, body) => {
        const text = `---\n${head.join('')}\n---\n${body.join('')}`;
        const front = readFrontmatter(text);
        const problems = front.ok ? validate(frontmatterSchema, front.value.document, frontmatterKeys).problems : front.problems;
        expect(misplaced(problems, text)).toEqual([]);
        expect(text.endsWith(front.ok ? front.value.body : '')).toBe(true);
      }),
      { seed: 12, numRuns: 800 },
    );
  });

  it('as references', () => {
    const pieces = fc.constantFrom(
      '[a]',
      '(',
      ')',
      '](',
      '../',
      '/',
      'a.md',
      '<',
      '>',
      '`',
      '```',
      '\n',
      ' ',
      '%2e',
      '@',
      'file:',
      '#',
      '?',
      '\\',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        const body = parts.join('');
        expect(misplaced(checkReferences(body, 1, new Set(['.'])), body)).toEqual([]);
      }),
      { seed: 13, numRuns: 800 },
    );
  });
});
