import { stripVTControlCharacters } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { displayWidth } from '../../src/printable.ts';
import { buildReport } from '../../src/run/report/build-report.ts';
import { renderTerminal } from '../../src/run/report/terminal.ts';
import type { ReportInput } from '../../src/run/report/report.ts';
import { anyInput, EMPTY, finding, SAMPLE } from './report-samples.ts';

const render = (input: ReportInput, color = false, width = 80): string => renderTerminal(buildReport(input), { color, width });

describe('renderTerminal', () => {
  it('shows verdict, counts, findings, omissions and where the report lies', () => {
    expect(render({ ...SAMPLE, outputs: ['.skillflow/report.md'] })).toBe(
      `code-review run_01JAB, completed after 3.2 s
Reviewed 2 files (uncommitted changes, on main at aaaaaaaaaa): 12 changed lines
in 1 file, and 1 file as a whole. 4 findings: 1 confirmed (1 critical); 1
unconfirmed (1 low); 1 disputed (1 medium); 1 rejected (1 high). 1 of 3 agents
did not complete.

1 critical  1 low

critical src/run.js:5
  eval runs a string made from input.
  | eval(request.body)
  found by security-analyst; confirmed by quality-reviewer (The caller passes a
  body); rejected by sceptic (Only in tests)

low src/new.ts:5 (unconfirmed)
  Line is long.
  found by security-analyst

Not listed: 1 disputed, 1 rejected

Not looked at
  - design-reviewer did not run: needs a model provider
  - 7 files skipped, third-party code kept in the tree: vendor/1.js,
    vendor/2.js, vendor/3.js, vendor/4.js, vendor/5.js and 2 more
  - 1 file skipped, binary: logo.png
  - The clone is shallow: history ends after 50 commits.
  - quality-reviewer, security-analyst: One rule needs types. (2)
  - History was not read.

Report: .skillflow/report.md
`,
    );
  });

  it('says how to see an unwritten report again', () => {
    expect(render(EMPTY)).toBe(
      `code-review run_01JAB, completed after 3.2 s
Nothing was reviewed: there was no file to look at (the whole tree).

Show again: skillflow show run_01JAB
`,
    );
  });

  it('colours the same text', () => {
    const colored = render(SAMPLE, true);
    expect(colored).toContain('\u001B[1;31mcritical\u001B[0m \u001B[1msrc/run.js:5\u001B[0m');
    expect(stripVTControlCharacters(colored)).toBe(render(SAMPLE));
  });

  it('lists twenty findings and counts the others', () => {
    const findings = Array.from({ length: 23 }, (_, at) => finding(`f_${at}`, { file: `src/${String(at).padStart(2, '0')}.js` }));
    const text = render({ ...SAMPLE, findings, decisions: [] });
    expect(text.match(/^high /gmu)).toHaveLength(20);
    expect(text).toContain('\n… and 3 more findings\n');
    expect(text).not.toContain('src/20.js');
  });

  it('keeps the end of a long path and the first line of evidence', () => {
    const long = finding('f_1', {
      file: `${'deep/'.repeat(40)}end.ts`,
      evidence: `\n  first line ${'x'.repeat(200)}\nsecond line`,
    });
    const text = render({ ...SAMPLE, findings: [long], decisions: [] }, false, 60);
    expect(text).toMatch(/^high \S.*deep\/.* \(unconfirmed\)$/mu);
    expect(text).toMatch(/^ {2}\| first line x+…$/mu);
    expect(text).not.toContain('second line');
  });

  it('never exceeds the width and prints no control character of the data', () => {
    fc.assert(
      fc.property(anyInput, fc.integer({ min: 0, max: 120 }), (input, width) => {
        const text = render(input, false, width);
        expect(text).not.toMatch(/(?!\n)\p{Cc}|[\p{Cs}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]/u);
        for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(Math.max(40, width));
        expect(stripVTControlCharacters(render(input, true, width))).toBe(text);
      }),
      { seed: 5, numRuns: 60 },
    );
  });
});
