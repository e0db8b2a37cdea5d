import { SEVERITIES } from '../../finding.ts';
import type { Severity } from '../../finding.ts';
import { printable, printableLines, printableProse, truncate, truncateStart, wrap } from '../../printable.ts';
import type { Report, ReportFinding } from './report.ts';
import { count, duration, ofOutcome, describeOmissions, place, spendingSentences, verdict, voteSentences } from './sentences.ts';

export interface TerminalOptions {
  /** Whether to write SGR colour codes. */
  readonly color: boolean;
  /** Columns of the terminal; taken as 40 when less. */
  readonly width: number;
}

const MAX_FINDINGS = 20;
const MAX_ANSWER_LINES = 60;
const MIN_WIDTH = 40;
/** How many columns of one piece of prose are shown. */
const MAX_PROSE = 600;

type Style = Severity | 'bold' | 'faint';

/** SGR parameters (ECMA-48 §8.3.117). */
const SGR: Readonly<Record<Style, string>> = {
  critical: '1;31',
  high: '31',
  medium: '33',
  low: '36',
  info: '2',
  bold: '1',
  faint: '2',
};

interface Page {
  readonly width: number;
  /** The text in a style; unchanged when colours are off. */
  readonly paint: (style: Style, text: string) => string;
}

/** Wrapped text, every line after `indent` spaces, the first one after `lead` instead. */
function paragraph({ width }: Page, text: string, indent: number, lead = ' '.repeat(indent)): readonly string[] {
  const lines = wrap(truncate(printableProse(text), MAX_PROSE), width - indent);
  return lines.map((line, at) => `${at === 0 ? lead : ' '.repeat(indent)}${line}`);
}

function findingLines(page: Page, finding: ReportFinding): readonly string[] {
  const { width, paint } = page;
  const doubts = [
    ...(finding.outcome === 'no_quorum' ? ['unconfirmed'] : []),
    ...(finding.confidence === 'low' ? ['low confidence'] : []),
  ];
  const mark = doubts.length === 0 ? '' : ` (${doubts.join(', ')})`;
  const where = truncateStart(place(finding), width - finding.severity.length - mark.length - 1);
  const spoken = finding.votes.filter(({ vote }) => vote !== 'abstain'); // the report has the rest
  const evidence = printableLines(finding.evidence).find((line) => line.trim() !== '');
  return [
    `${paint(finding.severity, finding.severity)} ${paint('bold', where)}${paint('faint', mark)}`,
    ...paragraph(page, finding.message, 2),
    ...(evidence === undefined ? [] : [paint('faint', `  | ${truncate(evidence.trim(), width - 4)}`)]),
    ...paragraph(page, voteSentences({ ...finding, votes: spoken }).join('; '), 2),
  ];
}

function countsLine({ paint }: Page, { counts }: Report): readonly string[] {
  const parts = SEVERITIES.flatMap((severity) => {
    const standing = counts.severity[severity].confirmed + counts.severity[severity].no_quorum;
    return standing === 0 ? [] : [paint(severity, `${standing} ${severity}`)];
  });
  return parts.length === 0 ? [] : ['', parts.join('  ')];
}

function findingsPart(page: Page, report: Report): readonly string[] {
  const standing = ofOutcome(report, 'confirmed', 'no_quorum');
  const rest = standing.length - MAX_FINDINGS;
  const { tie, rejected } = report.counts.outcome;
  const apart = [...(tie === 0 ? [] : [`${tie} disputed`]), ...(rejected === 0 ? [] : [`${rejected} rejected`])].join(', ');
  return [
    ...standing.slice(0, MAX_FINDINGS).flatMap((finding) => ['', ...findingLines(page, finding)]),
    ...(rest <= 0 ? [] : ['', `… and ${count(rest, 'more finding')}`]),
    ...(apart === '' ? [] : ['', `Not listed: ${apart}`]),
  ];
}

function answersPart(page: Page, { answers = [] }: Report): readonly string[] {
  return answers.flatMap(({ agentId, text }) => [
    '',
    page.paint('bold', truncate(printable(agentId), page.width)),
    ...printableLines(text)
      .slice(0, MAX_ANSWER_LINES)
      .flatMap((line) => (line.trim() === '' ? [''] : wrap(line, page.width - 2).map((part) => `  ${part}`))),
  ]);
}

function spendingPart(page: Page, { spending }: Report): readonly string[] {
  return spending === undefined ? [] : ['', ...spendingSentences(spending).flatMap((line) => paragraph(page, line, 0))];
}

function omissionsPart(page: Page, report: Report): readonly string[] {
  const omissions = describeOmissions(report);
  if (omissions.length === 0) return [];
  return ['', page.paint('bold', 'Not looked at'), ...omissions.flatMap(({ sentence }) => paragraph(page, sentence, 4, '  - '))];
}

function outputsPart(page: Page, { run, outputs }: Report): readonly string[] {
  const paths = outputs.map(printable);
  const lines = paths.length === 0 ? [`Show again: skillflow show ${run.id}`] : paths.map((path) => `Report: ${path}`);
  return ['', ...lines.flatMap((line) => paragraph(page, line, 0))];
}

/**
 * The report as text for a terminal: the verdict, counts by severity, the worst 20 findings that stand, how many are
 * disputed or rejected, what was not looked at, where the full report lies. No line is wider than `width` columns; no
 * control character but line breaks comes out, beside colour codes when `color` is set. Ends in a line break.
 */
export function renderTerminal(report: Report, { color, width }: TerminalOptions): string {
  const page: Page = {
    width: Math.max(MIN_WIDTH, width),
    paint: (style, text) => (color && text !== '' ? `\u001B[${SGR[style]}m${text}\u001B[0m` : text),
  };
  const { run } = report;
  const title = truncate(printableProse(`${run.skill} ${run.id}, ${run.status} after ${duration(run.durationMs)}`), page.width);
  const lines = [
    page.paint('bold', title),
    ...paragraph(page, verdict(report).join(' '), 0),
    ...countsLine(page, report),
    ...answersPart(page, report),
    ...findingsPart(page, report),
    ...spendingPart(page, report),
    ...omissionsPart(page, report),
    ...outputsPart(page, report),
  ];
  return `${lines.join('\n')}\n`;
}
