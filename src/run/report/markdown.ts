import { SEVERITIES } from '../../finding.ts';
import type { Severity } from '../../finding.ts';
import { printable } from '../../printable.ts';
import { codeSpan, fenced, inline, table } from './escape-markdown.ts';
import type { OutcomeCounts, Report, ReportFinding } from './report.ts';
import {
  count,
  duration,
  isoTime,
  OUTCOME_WORDS,
  OUTCOMES,
  ofOutcome,
  describeOmissions,
  place,
  spendingSentences,
  verdict,
  voteSentences,
} from './sentences.ts';

/** Up to this many findings are all shown; of more, every section shows at most `SECTION`. */
const ALL = 200;
const SECTION = 50;

const UNCONFIRMED =
  'Unconfirmed means that the agent which reported it stands alone: too few others had evidence for or against it.';

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The blocks of a section's findings, and one that says how many there are beside them. */
function capped(report: Report, findings: readonly ReportFinding[], show: (finding: ReportFinding) => string): string[] {
  const shown = report.counts.total > ALL ? findings.slice(0, SECTION) : findings;
  const rest = findings.length - shown.length;
  const file = report.outputs.find((path) => path.endsWith('.json')) ?? 'report.json';
  return [
    ...shown.map(show),
    ...(rest === 0 ? [] : [`And ${count(rest, 'more finding')} of this kind, listed in ${codeSpan(file)}.`]),
  ];
}

function figures(outcomes: OutcomeCounts): string[] {
  return OUTCOMES.map((outcome) => String(outcomes[outcome]));
}

function summary({ counts }: Report): string {
  return table(
    ['Severity', ...OUTCOMES.map((outcome) => capitalize(OUTCOME_WORDS[outcome]))],
    [...SEVERITIES.map((severity) => [severity, ...figures(counts.severity[severity])]), ['all', ...figures(counts.outcome)]],
    [1, 2, 3, 4],
  );
}

function weakness(cwe: string): string {
  const number = /^CWE-(\d{1,6})$/u.exec(cwe)?.[1];
  return number === undefined ? inline(cwe) : `[${cwe}](https://cwe.mitre.org/data/definitions/${number}.html)`;
}

function describeOutcome({ outcome, decision }: ReportFinding): string {
  const word = OUTCOME_WORDS[outcome];
  if (decision === null) return word;
  const { rule, confirms, rejects, quorum, eligible, note } = decision;
  const how = `${rule}, at least ${quorum} of ${eligible} had to vote${note === undefined ? '' : `; ${inline(note)}`}`;
  return `${word} with ${confirms} for and ${rejects} against (${how})`;
}

function findingBlock(finding: ReportFinding): string {
  const related = finding.related ?? [];
  const cwe = finding.cwe ?? [];
  const facts = [
    ...(finding.advice === undefined ? [] : [`**Advice:** ${inline(finding.advice)}`]),
    ...(cwe.length === 0 ? [] : [`**Weakness:** ${cwe.map(weakness).join(', ')}`]),
    ...(related.length === 0 ? [] : [`**See also:** ${related.map((other) => codeSpan(place(other))).join(', ')}`]),
    `**Outcome:** ${describeOutcome(finding)}; the rule by itself has ${finding.confidence} confidence`,
    ...voteSentences(finding).map((sentence) => inline(capitalize(sentence))),
    `Finding ${codeSpan(finding.id)}`,
  ];
  return [
    `#### ${codeSpan(place(finding))} ${inline(finding.rule)}`,
    inline(finding.message) || '(no message)',
    ...(finding.evidence === '' ? [] : [fenced(finding.evidence)]),
    facts.map((fact) => `- ${fact}`).join('\n'),
  ].join('\n\n');
}

function severitySection(report: Report, severity: Severity): readonly string[] {
  const findings = ofOutcome(report, 'confirmed', 'no_quorum').filter((finding) => finding.severity === severity);
  if (findings.length === 0) return [];
  return [`### ${capitalize(severity)} (${findings.length})`, ...capped(report, findings, findingBlock)];
}

function findingsSection(report: Report): readonly string[] {
  const blocks = SEVERITIES.flatMap((severity) => severitySection(report, severity));
  if (blocks.length === 0) return [];
  return ['## Findings', ...(report.counts.outcome.no_quorum === 0 ? [] : [UNCONFIRMED]), ...blocks];
}

function shortBlock(finding: ReportFinding): string {
  const head = `- ${finding.severity} ${codeSpan(place(finding))} ${inline(finding.rule)}: ${inline(finding.message)}`;
  return [head, ...voteSentences(finding).map((sentence) => `  - ${inline(capitalize(sentence))}`)].join('\n');
}

function losersSection(report: Report): readonly string[] {
  const sections = (['tie', 'rejected'] as const).flatMap((outcome) => {
    const findings = ofOutcome(report, outcome);
    if (findings.length === 0) return [];
    return [`### ${capitalize(OUTCOME_WORDS[outcome])} (${findings.length})`, ...capped(report, findings, shortBlock)];
  });
  return sections.length === 0 ? [] : ['## Disputed and rejected', ...sections];
}

function omissionsSection(report: Report): readonly string[] {
  const omissions = describeOmissions(report);
  if (omissions.length === 0) return ['## Not looked at', 'No agent and no file was skipped, and nobody left a note.'];
  return ['## Not looked at', omissions.map(({ sentence }) => `- ${inline(sentence)}`).join('\n')];
}

/** Words of agents are text of models: shown as they are, and never as part of the document. */
function answersSection({ answers = [] }: Report): readonly string[] {
  if (answers.length === 0) return [];
  const blocks = answers.flatMap(({ agentId, text, confidence }) => [
    `### ${inline(agentId)}${confidence === undefined ? '' : ` (says it is ${Math.round(confidence * 100)} % sure)`}`,
    fenced(text, 'markdown'),
  ]);
  return ['## Answers', ...blocks];
}

function spendingSection({ spending }: Report): readonly string[] {
  if (spending === undefined) return [];
  return [
    '## Spending',
    spendingSentences(spending)
      .map((sentence) => `- ${inline(sentence)}`)
      .join('\n'),
  ];
}

function agentsSection({ agents }: Report): readonly string[] {
  if (agents.length === 0) return ['## Agents', 'No agent took part.'];
  const rows = agents.map((agent) => [
    inline(agent.name === undefined ? agent.id : `${agent.name} (${agent.id})`),
    inline(agent.capabilities.join(', ')),
    agent.status,
    String(agent.findings),
    String(agent.ballots),
    duration(agent.durationMs),
  ]);
  return ['## Agents', table(['Agent', 'Looks for', 'Status', 'Findings', 'Ballots', 'Time'], rows, [3, 4, 5])];
}

function runSection({ run }: Report): readonly string[] {
  const started = isoTime(run.startedAt);
  const facts = [
    `**Task:** ${inline(run.task)}`,
    `**Skill:** ${inline(run.skillVersion === null ? run.skill : `${run.skill} ${run.skillVersion}`)}`,
    `**Run:** ${codeSpan(run.id)}, ${run.status}`,
    `**Provider:** ${inline(run.provider)}`,
    `**Topology:** ${inline(run.topology)}`,
    ...(run.planReason === undefined ? [] : [`**Chosen because:** ${inline(run.planReason)}`]),
    ...(run.growthEnd === undefined ? [] : [`**No further layer:** ${inline(run.growthEnd)}`]),
    `**Time:** ${duration(run.durationMs)}${started === null ? '' : `, from ${started}`}`,
  ];
  const command = fenced(`skillflow show ${printable(run.id)}`, 'sh');
  return ['## Run', facts.map((fact) => `- ${fact}`).join('\n'), 'To see this run again:', command];
}

/**
 * The report as a markdown document for people: verdict, summary table, findings by severity with evidence and votes,
 * disputed and rejected ones in short, what was not looked at, the agents, the run. Text of the project is escaped, so
 * that the document's structure depends on the numbers alone. With more than 200 findings every section shows its
 * first 50 and says how many more there are. Ends in a line break.
 */
export function renderMarkdown(report: Report): string {
  const blocks = [
    `# Skillflow report: ${inline(report.run.skill)}`,
    verdict(report).map(inline).join(' '),
    ...(report.counts.total === 0 ? [] : [summary(report)]),
    ...answersSection(report),
    ...findingsSection(report),
    ...losersSection(report),
    ...omissionsSection(report),
    ...agentsSection(report),
    ...spendingSection(report),
    ...runSection(report),
  ];
  return `${blocks.join('\n\n')}\n`;
}
