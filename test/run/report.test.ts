import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildReport } from '../../src/run/report/build-report.ts';
import { renderJson } from '../../src/run/report/json.ts';
import { count, duration, isoTime, spendingSentences, verdict } from '../../src/run/report/sentences.ts';
import { agent, anyInput, CHANGES, EMPTY, finding, RUN, SAMPLE } from './report-samples.ts';

describe('buildReport', () => {
  const report = buildReport(SAMPLE);

  it('gives every finding its outcome, the worst first', () => {
    expect(report.findings.map(({ id, outcome }) => [id, outcome])).toEqual([
      ['f_confirmed', 'confirmed'],
      ['f_rejected', 'rejected'],
      ['f_tie', 'tie'],
      ['f_low', 'no_quorum'],
    ]);
  });

  it('sorts by file, line and column within a severity, whatever the order given', () => {
    const at = (id: string, file: string, startLine: number, startColumn: number): ReturnType<typeof finding> =>
      finding(id, { file, range: { startLine, startColumn, endLine: startLine, endColumn: startColumn + 1 } });
    const findings = [
      at('d', 'b.js', 1, 1),
      at('c', 'a.js', 10, 1),
      at('b', 'a.js', 9, 2),
      at('a', 'a.js', 9, 1),
      at('e', 'b.js', 1, 1),
    ];
    const ids = (order: typeof findings): string =>
      buildReport({ ...SAMPLE, findings: order })
        .findings.map(({ id }) => id)
        .join('');
    expect(ids(findings)).toBe('abcde');
    expect(ids(findings.toReversed())).toBe('abcde');
  });

  it('counts by outcome and severity', () => {
    expect(report.counts.total).toBe(4);
    expect(report.counts.outcome).toEqual({ confirmed: 1, no_quorum: 1, tie: 1, rejected: 1 });
    expect(report.counts.severity.high).toEqual({ confirmed: 0, no_quorum: 0, tie: 0, rejected: 1 });
  });

  it('admits the first ballot of a voter and keeps dissent', () => {
    const [first, second] = report.findings;
    expect(first?.votes.map(({ voter, vote }) => `${voter} ${vote}`)).toEqual([
      'quality-reviewer confirm',
      'sceptic reject',
      'idle abstain',
    ]);
    expect(first?.dissent).toEqual([{ voter: 'sceptic', vote: 'reject', reason: 'Only in tests.' }]);
    expect(second?.dissent).toEqual([]);
    const overruled = buildReport({
      ...SAMPLE,
      ballots: [{ subject: 'f_rejected', voter: 'sceptic', vote: 'confirm', reason: 'It is reachable.' }],
    });
    expect(overruled.findings.find(({ id }) => id === 'f_rejected')?.dissent).toHaveLength(1);
  });

  it('tells what was not looked at', () => {
    expect(report.omissions).toEqual({
      agents: [{ id: 'design-reviewer', status: 'skipped', reason: 'needs a model provider' }],
      files: [
        { reason: 'vendored', count: 7, examples: [1, 2, 3, 4, 5].map((at) => `vendor/${at}.js`) },
        { reason: 'binary', count: 1, examples: ['logo.png'] },
      ],
      changes: [{ code: 'shallow', message: 'The clone is shallow: history ends after 50 commits.' }],
      notes: [
        { code: 'skipped_rule', message: 'One rule needs types.', count: 2, agents: ['quality-reviewer', 'security-analyst'] },
        { code: 'no_history', message: 'History was not read.', agents: [] },
      ],
    });
  });

  it('says what was under review without absolute paths', () => {
    expect(report.scope.files).toEqual([
      { path: 'src/run.js', status: 'modified', changedLines: 12 },
      { path: 'src/new.ts', status: 'untracked', changedLines: null },
    ]);
    expect(report.scope).toMatchObject({ changedLines: 12, wholeFiles: 1, skipped: 8 });
    expect(JSON.stringify(report)).not.toContain('/home/someone');
  });

  it('is empty for an empty run', () => {
    const empty = buildReport(EMPTY);
    expect(empty.findings).toEqual([]);
    expect(empty.counts.total).toBe(0);
    expect(empty.omissions).toEqual({ agents: [], files: [], changes: [], notes: [] });
  });
});

describe('verdict', () => {
  const say = (more: Partial<typeof SAMPLE>): string => verdict(buildReport({ ...SAMPLE, ...more })).join(' ');

  it('says what was reviewed and what came of it', () => {
    expect(say({})).toBe(
      'Reviewed 2 files (uncommitted changes, on main at aaaaaaaaaa): 12 changed lines in 1 file, and 1 file as a whole. ' +
        '4 findings: 1 confirmed (1 critical); 1 unconfirmed (1 low); 1 disputed (1 medium); 1 rejected (1 high). ' +
        '1 of 3 agents did not complete.',
    );
  });

  it('names the selection', () => {
    const selection = (more: Partial<typeof CHANGES>): string => say({ changes: { ...CHANGES, git: null, ...more } });
    expect(selection({ mode: 'base', base: 'b'.repeat(40) })).toContain('(changes since bbbbbbbbbb)');
    expect(selection({ mode: 'last', base: '4b825dc642cb6eb9a060e54bf8d69288fbee4904' })).toContain(
      '(the last commits since the first commit)',
    );
    expect(selection({ mode: 'tree', base: null, files: CHANGES.files.slice(1) })).toContain(
      'Reviewed 1 file (the whole tree), as a whole.',
    );
  });

  it('claims no review where there was none', () => {
    expect(say({ findings: [], agents: [agent('a', { status: 'failed', reason: 'crashed' })] })).toBe(
      'Nothing was reviewed: no agent completed its work on 2 files (uncommitted changes, on main at aaaaaaaaaa). 1 of 1 agent did not complete.',
    );
    expect(say({ findings: [], changes: { ...CHANGES, files: [], git: null } })).toMatch(
      /^Nothing was reviewed: there was no file to look at \(uncommitted changes\); 8 files skipped\. 1 of/u,
    );
    expect(say({ findings: [] })).toContain('No findings: the agents found nothing of what they look for, which does not prove');
  });

  it('says when the run did not come to its end', () => {
    expect(say({ run: { ...RUN, status: 'failed', reason: 'The disk is full.' } })).toMatch(
      /^The run failed \(The disk is full\); this is what/u,
    );
    expect(say({ run: { ...RUN, status: 'running' } })).toMatch(/^The run is still under way/u);
    expect(say({ run: { ...RUN, status: 'interrupted' } })).toMatch(/^The run was interrupted/u);
  });

  it('writes figures for people', () => {
    expect([0, 1, 2].map((amount) => count(amount, 'file'))).toEqual(['0 files', '1 file', '2 files']);
    expect([0, 850, 3210, 59_949, 59_951, 125_000].map(duration)).toEqual([
      '0 ms',
      '850 ms',
      '3.2 s',
      '59.9 s',
      '1 min 0 s',
      '2 min 5 s',
    ]);
    expect(isoTime(0)).toBe('1970-01-01T00:00:00.000Z');
    expect(isoTime(Number.NaN)).toBeNull();
    expect(isoTime(1e300)).toBeNull();
  });

  it('says what little it cost, and the rest as earlier reports have it', () => {
    const spent = { tokens: 20, requests: 1, unpriced: [], possiblyBilledTwice: 0 };
    const costs = [0.000_02, 0, 0.25, 12.345_67].map((costUsd) => spendingSentences({ ...spent, costUsd }).join(' '));
    expect(costs.map((said) => /cost (.*)\.$/u.exec(said)?.[1])).toEqual(['$0.00002', '$0.0000', '$0.2500', '$12.3457']);
  });
});

describe('renderJson', () => {
  it('names its schema first and ends in a line break', () => {
    expect(renderJson(buildReport(SAMPLE))).toMatch(/^\{\n {2}"schema": "skillflow.report\/1",\n {2}"run": \{[^]*\}\n$/u);
  });

  it('has the same text whatever the order of keys in the input', () => {
    const reversed = <T extends object>(value: T): T => {
      const copy = { ...value };
      for (const [key, member] of Object.entries(value).toReversed()) {
        Reflect.deleteProperty(copy, key);
        Reflect.set(copy, key, member);
      }
      return copy;
    };
    const shuffled = {
      ...SAMPLE,
      run: reversed(RUN),
      findings: SAMPLE.findings.map((one) => reversed({ ...one, range: reversed(one.range) })),
      decisions: SAMPLE.decisions.map(reversed),
    };
    expect(Object.keys(shuffled.run)).toEqual(Object.keys(RUN).toReversed());
    expect(renderJson(buildReport(shuffled))).toBe(renderJson(buildReport(SAMPLE)));
  });

  it('parses back to the report and holds no active characters', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const report = buildReport(input);
        const text = renderJson(report);
        expect(JSON.parse(text)).toEqual({ schema: 'skillflow.report/1', ...report });
        expect(text).not.toMatch(/[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]|(?!\n)\p{Cc}/u);
      }),
      { seed: 1, numRuns: 60 },
    );
  });
});
