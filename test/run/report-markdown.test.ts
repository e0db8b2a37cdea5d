import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SEVERITIES } from '../../src/finding.ts';
import { buildReport } from '../../src/run/report/build-report.ts';
import { codeSpan, fenced, inline } from '../../src/run/report/escape-markdown.ts';
import { renderMarkdown } from '../../src/run/report/markdown.ts';
import type { ReportInput } from '../../src/run/report/report.ts';
import { anyInput, EMPTY, finding, hostileText, hostileTexts, SAMPLE, withTexts } from './report-samples.ts';

/** The document without its fenced blocks and code spans; fails when a fence is left open. */
function outsideCode(markdown: string): readonly string[] {
  const lines: string[] = [];
  let fence: string | null = null;
  for (const line of markdown.split('\n')) {
    if (fence !== null) {
      if (line === fence) fence = null;
      continue;
    }
    fence = /^(`{3,})(?:text|sh)$/u.exec(line)?.[1] ?? null;
    if (fence === null) lines.push(line.replace(/(?<![\\`])(`+)(?!`).*?(?<!`)\1(?!`)/gu, 'CODE'));
  }
  expect(fence).toBeNull();
  return lines;
}

/** The kind of each line that is no prose: headings with their depth, table rows with their cells, list items. */
function skeleton(markdown: string): readonly string[] {
  return outsideCode(markdown).flatMap((line) => {
    const heading = /^#+ /u.exec(line)?.[0];
    if (heading !== undefined) return [heading];
    if (line.startsWith('|')) return [`row of ${line.split(/(?<!\\)\|/u).length}`];
    return /^ *- /u.exec(line) === null ? [] : ['item'];
  });
}

const render = (input: ReportInput): string => renderMarkdown(buildReport(input));

describe('renderMarkdown', () => {
  const markdown = render(SAMPLE);

  it('shows a finding with place, evidence, advice, weakness and votes', () => {
    expect(markdown).toContain(
      [
        '#### `src/run.js:5` security/js-eval-dynamic',
        'eval runs a string made from input.',
        '```text\neval(request.body)\n```',
        [
          '- **Advice:** Parse the input as JSON.',
          '- **Weakness:** [CWE-95](https://cwe.mitre.org/data/definitions/95.html)',
          '- **See also:** `src/new.ts:1`',
          '- **Outcome:** confirmed with 1 for and 1 against (majority, at least 1 of 2 had to vote); the rule by itself has high confidence',
          '- Found by security-analyst',
          '- Confirmed by quality-reviewer (The caller passes a body)',
          '- Rejected by sceptic (Only in tests)',
          '- Abstained: idle (No evidence on eval)',
          '- Finding `f_confirmed`',
        ].join('\n'),
      ].join('\n\n'),
    );
  });

  it('has its sections in order', () => {
    expect(markdown.split('\n').filter((line) => /^##? /u.test(line))).toEqual([
      '# Skillflow report: code-review',
      '## Findings',
      '## Disputed and rejected',
      '## Not looked at',
      '## Agents',
      '## Run',
    ]);
    expect(markdown).toContain('| critical | 1 | 0 | 0 | 0 |\n| high | 0 | 0 | 0 | 1 |');
    expect(markdown).toContain('- design-reviewer did not run: needs a model provider');
    expect(markdown).toContain('vendor/4.js, vendor/5.js and 2 more');
    expect(markdown).toContain('- quality-reviewer, security-analyst: One rule needs types. (2)');
    expect(markdown).toContain('```sh\nskillflow show run_01JAB\n```');
  });

  it('reads honestly when there was nothing to look at', () => {
    const empty = render(EMPTY);
    expect(empty).toContain('Nothing was reviewed: there was no file to look at (the whole tree).');
    expect(empty).toContain('## Not looked at\n\nNo agent and no file was skipped, and nobody left a note.');
    expect(empty).not.toContain('## Findings');
    expect(empty).not.toContain('| critical');
  });

  it('caps every section of a long report and says how much is left', () => {
    const many = (amount: number): ReportInput => ({
      ...SAMPLE,
      findings: Array.from({ length: amount }, (_, at) => finding(`f_${at}`, { severity: SEVERITIES[at % 2] ?? 'info' })),
      decisions: [],
      outputs: ['out/report.md', 'out/all.json'],
    });
    expect(render(many(200)).match(/^#### /gmu)).toHaveLength(200);
    const long = render(many(250));
    expect(long.match(/^#### /gmu)).toHaveLength(100);
    expect(long.match(/^And 75 more findings of this kind, listed in `out\/all\.json`\.$/gmu)).toHaveLength(2);
  });

  it('keeps its structure whatever the texts are', () => {
    const plain = skeleton(render(withTexts(['x'])));
    fc.assert(
      fc.property(hostileTexts, (texts) => {
        expect(skeleton(render(withTexts(texts)))).toEqual(plain);
      }),
      { seed: 2, numRuns: 150 },
    );
  });

  it('lets no HTML, link, control or bidi character through', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const text = render(input);
        expect(text).not.toMatch(/(?!\n)\p{Cc}|[\p{Cs}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]/u);
        const prose = outsideCode(text).join('\n');
        expect(prose).not.toMatch(/[<>]/u);
        expect(prose).not.toMatch(/(?<!\\)\](?!\(https:\/\/cwe\.mitre\.org\/data\/definitions\/\d+\.html\))/u);
        expect(prose.replaceAll('(https://cwe.mitre.org/', '')).not.toMatch(/(?<!\\):\/\/|www\./iu);
      }),
      { seed: 3, numRuns: 60 },
    );
  });
});

describe('escaping', () => {
  it.each([
    ['a_b *c* `d`', String.raw`a\_b \*c\* \`d\``],
    ['[x](javascript:1)', String.raw`\[x\](javascript:1)`],
    ['<b>&lt;', '&lt;b&gt;&amp;lt;'],
    ['https://a.example', String.raw`https\://a.example`],
    ['a | b\nc', String.raw`a \| b c`],
    ['1. one', String.raw`1\. one`],
    ['- one', String.raw`\- one`],
    ['# one #', String.raw`\# one \#`],
    ['a\u202Eb', String.raw`a\\u202eb`],
    ['', ''],
  ])('makes %j literal', (text, escaped) => {
    expect(inline(text)).toBe(escaped);
  });

  it('delimits code so that backticks inside do not end it', () => {
    expect(codeSpan('a`b``c')).toBe('```a`b``c```');
    expect(codeSpan('`a')).toBe('`` `a ``');
    expect(codeSpan('a\nb')).toBe(String.raw`${'`'}a\nb${'`'}`);
    expect(codeSpan('')).toBe('` `');
    expect(fenced('a\n````\nb')).toBe('`````text\na\n````\nb\n`````');
  });

  it('keeps inline text on one line', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        expect(`${inline(text)}${codeSpan(text)}`).not.toMatch(/[\r\n\u2028\u2029]/u);
      }),
      { seed: 4 },
    );
  });
});
