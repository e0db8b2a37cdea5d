import * as fc from 'fast-check';
import type { Decision, Outcome } from '../../src/ballot.ts';
import type { EventScope } from '../../src/events.ts';
import type { Finding } from '../../src/finding.ts';
import { SEVERITIES } from '../../src/finding.ts';
import type { ReportAgent, ReportInput, ReportRun } from '../../src/run/report/report.ts';

export const RUN: ReportRun = {
  id: 'run_01JAB',
  skill: 'code-review',
  skillVersion: '1.2.0',
  task: 'Review my changes',
  provider: 'local',
  topology: 'mesh',
  status: 'completed',
  startedAt: Date.UTC(2025, 0, 2, 3, 4, 5),
  durationMs: 3210,
};

export const CHANGES: EventScope = {
  mode: 'uncommitted',
  base: 'a'.repeat(40),
  git: { head: 'a'.repeat(40), branch: 'main', shallow: false },
  files: [
    { path: 'src/run.js', status: 'modified', changedLines: 12 },
    { path: 'src/new.ts', status: 'untracked', changedLines: null },
  ],
  skipped: [
    { path: 'logo.png', reason: 'binary' },
    ...Array.from({ length: 7 }, (_, at) => ({ path: `vendor/${7 - at}.js`, reason: 'vendored' as const })),
  ],
  notes: [{ code: 'shallow', message: 'The clone is shallow: history ends after 50 commits.' }],
};

export function agent(id: string, more: Partial<ReportAgent> = {}): ReportAgent {
  return {
    id,
    type: id,
    capabilities: ['security'],
    status: 'completed',
    durationMs: 1200,
    findings: 0,
    ballots: 0,
    ...more,
  };
}

export function finding(
  id: string,
  more: Partial<Finding & { reportedBy: readonly string[] }> = {},
): ReportInput['findings'][number] {
  return {
    id,
    rule: 'security/js-eval-dynamic',
    severity: 'high',
    confidence: 'high',
    capability: 'security',
    file: 'src/run.js',
    range: { startLine: 5, startColumn: 3, endLine: 5, endColumn: 20 },
    message: 'eval runs a string made from input.',
    evidence: 'eval(request.body)',
    reportedBy: ['security-analyst'],
    ...more,
  };
}

function decision(subject: string, outcome: Outcome): Decision {
  return { subject, rule: 'majority', outcome, confirms: 1, rejects: 1, abstains: 0, quorum: 1, eligible: 2 };
}

/** A run with a finding of every outcome. */
export const SAMPLE: ReportInput = {
  run: RUN,
  changes: CHANGES,
  agents: [
    agent('security-analyst', { findings: 4, ballots: 1 }),
    agent('quality-reviewer', { findings: 1, ballots: 3, capabilities: ['complexity', 'style'] }),
    agent('design-reviewer', { status: 'skipped', reason: 'needs a model provider', durationMs: 0 }),
  ],
  findings: [
    finding('f_low', { severity: 'low', file: 'src/new.ts', rule: 'style/long-line', message: 'Line is long.', evidence: '' }),
    finding('f_rejected', { range: { startLine: 9, startColumn: 1, endLine: 9, endColumn: 2 } }),
    finding('f_confirmed', {
      severity: 'critical',
      advice: 'Parse the input as JSON.',
      cwe: ['CWE-95'],
      related: [{ file: 'src/new.ts', range: { startLine: 1, startColumn: 1, endLine: 2, endColumn: 1 } }],
    }),
    finding('f_tie', { severity: 'medium' }),
  ],
  ballots: [
    { subject: 'f_confirmed', voter: 'quality-reviewer', vote: 'confirm', reason: 'The caller passes a body.' },
    { subject: 'f_confirmed', voter: 'quality-reviewer', vote: 'reject', reason: 'A second thought.' },
    { subject: 'f_confirmed', voter: 'sceptic', vote: 'reject', reason: 'Only in tests.' },
    { subject: 'f_confirmed', voter: 'idle', vote: 'abstain', reason: 'No evidence on eval.' },
    { subject: 'f_rejected', voter: 'quality-reviewer', vote: 'reject', reason: 'The string is a constant.' },
    { subject: 'f_tie', voter: 'quality-reviewer', vote: 'reject', reason: 'Unclear.' },
    { subject: 'f_tie', voter: 'sceptic', vote: 'confirm', reason: 'Also unclear.' },
    { subject: 'f_unknown', voter: 'sceptic', vote: 'confirm', reason: 'Nothing.' },
  ],
  decisions: [
    decision('f_confirmed', 'tie'),
    decision('f_confirmed', 'confirmed'),
    decision('f_rejected', 'rejected'),
    decision('f_tie', 'tie'),
  ],
  notes: [
    { code: 'skipped_rule', message: 'One rule needs types.', count: 2, agent: 'security-analyst' },
    { code: 'skipped_rule', message: 'One rule needs types.', count: 2, agent: 'quality-reviewer' },
    { code: 'no_history', message: 'History was not read.', agent: null },
  ],
};

export const EMPTY: ReportInput = {
  run: RUN,
  changes: { ...CHANGES, files: [], skipped: [], notes: [], base: null, git: null, mode: 'tree' },
  agents: [],
  findings: [],
  ballots: [],
  decisions: [],
  notes: [],
};

/** Text that tries to break out of whatever it is put into. */
const HOSTILE = [
  '</details><script>alert(1)</script>',
  '[x](javascript:alert(1))',
  '![x](http://evil.example/p.png)',
  'https://evil.example www.evil.example',
  'me@evil.example @someone mailto:me@evil.example xmpp:a@b.example/c',
  '[^1]: note [^1] :smile:',
  '| a | b |\n|---|---|',
  '```\n# Heading\n```',
  '~~~\n## Heading',
  '`````` `',
  '\n\n# Heading\n\n- item\n',
  '# Heading',
  '## Heading ##',
  'x\n===\n',
  '1. one',
  '- [ ] two',
  '> quote',
  '    indented',
  '<!-- ',
  '&lt;b&gt; &#35;',
  '\u001B[31mred\u001B[0m\u001B]8;;http://evil.example\u0007',
  '\u009B31m\u0000\u0007\b\r',
  '\u202Eevil\u2066\u2069\u200B\uFEFF',
  '\u2028# Heading\u2029',
  '\\',
  '\\`',
  '*_~$$',
  '{0} {1} {{',
  '漢字かな交じり文',
  '👩‍👩‍👧‍👦🇩🇪1️⃣',
  'e\u0301\u0301\u0301',
  '\u1100\u1100\u1100\u1100\u1161',
  '\uD800',
  '../%2e%2e?#a:b',
  '::warning::x',
  '',
];

export const hostileText = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.array(fc.constantFrom(...HOSTILE, 'a', ' ', '`', '\n', '|'), { maxLength: 6 }).map((parts) => parts.join('')),
);

/** How many texts {@link withTexts} needs. */
const TEXTS = 24;
export const hostileTexts = fc.array(hostileText, { minLength: TEXTS, maxLength: TEXTS });

/** The sample with all its free text replaced, its structure unchanged. */
export function withTexts(texts: readonly string[]): ReportInput {
  const text = (at: number): string => texts[at % texts.length] ?? '';
  return {
    ...SAMPLE,
    run: {
      ...RUN,
      skill: text(0),
      task: text(1),
      provider: text(2),
      topology: text(3),
      id: text(4),
      reason: text(5),
      skillVersion: text(6),
    },
    agents: SAMPLE.agents.map((one, at) => ({ ...one, id: text(7 + at), capabilities: [text(8)], reason: text(9) })),
    changes: {
      ...CHANGES,
      git: { head: text(10), branch: text(11), shallow: true },
      skipped: [{ path: text(12), reason: 'symlink' }],
      notes: [{ code: 'x', message: text(13) }],
    },
    findings: SAMPLE.findings.map((one, at) => ({
      ...one,
      file: text(14 + at),
      rule: text(15 + at),
      message: text(16 + at),
      evidence: `x${text(17 + at)}`,
      advice: text(18),
      cwe: [text(19)],
      related: [{ file: text(20), range: one.range }],
      reportedBy: [`${text(21)} finder`],
    })),
    ballots: SAMPLE.ballots.map((one) => ({ ...one, voter: `${text(22)} voter`, reason: text(23) })),
    notes: SAMPLE.notes.map((one) => ({ ...one, message: text(1), agent: one.agent === null ? null : text(2) })),
    outputs: [text(3)],
  };
}

const OUTCOMES: readonly Outcome[] = ['confirmed', 'rejected', 'tie', 'no_quorum'];

/** Reports of any number of findings with any text. */
export const anyInput: fc.Arbitrary<ReportInput> = fc
  .record({
    texts: hostileTexts,
    findings: fc.array(
      fc.record({
        severity: fc.constantFrom(...SEVERITIES),
        outcome: fc.constantFrom(...OUTCOMES),
        file: hostileText,
        message: hostileText,
        evidence: hostileText,
        line: fc.integer({ min: 1, max: 9 }),
      }),
      { maxLength: 30 },
    ),
    status: fc.constantFrom('running', 'interrupted', 'completed', 'failed', 'cancelled'),
  })
  .map(({ texts, findings, status }) => {
    const base = withTexts(texts);
    return {
      ...base,
      run: { ...base.run, status },
      findings: findings.map(({ severity, file, message, evidence, line }, at) =>
        finding(`f_${at}`, {
          severity,
          file,
          message,
          evidence,
          rule: texts[at % 5] ?? '',
          cwe: [texts[at % 7] ?? '', 'CWE-79'],
          range: { startLine: line, startColumn: 1, endLine: line, endColumn: 2 },
        }),
      ),
      decisions: findings.map(({ outcome }, at) => decision(`f_${at}`, outcome)),
    };
  });
