/**
 * What a report says in words, the same in every rendering. Every sentence is plain text of one line in which names,
 * paths and reasons are data: a renderer escapes the whole sentence for where it stands.
 */
import type { Outcome, Vote } from '../../ballot.ts';
import type { SkipReason } from '../../changes.ts';
import { SEVERITIES } from '../../finding.ts';
import type { SourceRange } from '../../finding.ts';
import { printable, printableProse, truncate } from '../../printable.ts';
import { dollars } from '../amount-words.ts';
import type { Report, ReportFinding, ReportSpending } from './report.ts';

/** What people read for an outcome; `no_quorum` says that nobody but the finder had evidence. */
export const OUTCOME_WORDS: Readonly<Record<Outcome, string>> = {
  confirmed: 'confirmed',
  no_quorum: 'unconfirmed',
  tie: 'disputed',
  rejected: 'rejected',
};
/** The order in which outcomes are shown. */
export const OUTCOMES = ['confirmed', 'no_quorum', 'tie', 'rejected'] as const satisfies readonly Outcome[];

const SKIP_WORDS: Readonly<Record<SkipReason, string>> = {
  binary: 'binary',
  generated: 'generated',
  vendored: 'third-party code kept in the tree',
  huge: 'too large',
  deleted: 'deleted by the change',
  submodule: 'a submodule',
  symlink: 'a symbolic link',
  outside_root: 'outside the project',
  invalid_utf8: 'not valid UTF-8',
  unreadable: 'not readable',
};

/** Git's hash of the empty tree, SHA-1 and SHA-256: what a change is compared with from the first commit on. */
const EMPTY_TREES: ReadonlySet<string> = new Set([
  '4b825dc642cb6eb9a060e54bf8d69288fbee4904',
  '6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321',
]);

/** `1 file`, `0 files`. */
export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}

/** Milliseconds as people say them: `850 ms`, `3.2 s`, `2 min 5 s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** ISO 8601 in UTC, or `null` for a number that is no date. */
export function isoTime(ms: number): string | null {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** A path or name as part of a sentence. */
function cut(text: string): string {
  return truncate(printable(text), 200);
}

/** `path:line`. */
export function place({ file, range }: { readonly file: string; readonly range: SourceRange }): string {
  return `${cut(file)}:${range.startLine}`;
}

/** The findings of some outcomes, in the report's order. */
export function ofOutcome(report: Report, ...outcomes: readonly Outcome[]): readonly ReportFinding[] {
  return report.findings.filter(({ outcome }) => outcomes.includes(outcome));
}

function describeSelection({ scope }: Report): string {
  const base = scope.base !== null && EMPTY_TREES.has(scope.base) ? 'the first commit' : scope.base?.slice(0, 10);
  const since = base === undefined ? '' : ` since ${base}`;
  const what = {
    base: `changes${since}`,
    last: `the last commits${since}`,
    staged: 'staged changes',
    uncommitted: 'uncommitted changes',
    files: 'the files asked for',
    tree: 'the whole tree',
  }[scope.mode];
  const branch = scope.git?.branch ?? null;
  const head = scope.git?.head ?? null;
  const where = [...(branch === null ? [] : [`on ${branch}`]), ...(head === null ? [] : [`at ${head.slice(0, 10)}`])].join(' ');
  return where === '' ? what : `${what}, ${where}`;
}

function describeLines({ scope }: Report): string {
  const inParts = scope.files.length - scope.wholeFiles;
  if (inParts === 0) return ', as a whole';
  const lines = `: ${count(scope.changedLines, 'changed line')}`;
  return scope.wholeFiles === 0
    ? lines
    : `${lines} in ${count(inParts, 'file')}, and ${count(scope.wholeFiles, 'file')} as a whole`;
}

function describeState({ run }: Report): readonly string[] {
  if (run.status === 'completed') return [];
  if (run.status === 'running') return ['The run is still under way; this is what was recorded so far.'];
  const what = {
    awaiting_host: 'waits for the host',
    paused: 'is paused',
    awaiting_approval: 'waits for an approval',
    interrupted: 'was interrupted: its process ended first',
    failed: 'failed',
    cancelled: 'was cancelled',
  }[run.status];
  const why = run.reason === undefined ? '' : ` (${printableProse(run.reason).replace(/\.$/u, '')})`;
  return [`The run ${what}${why}; this is what was recorded until then.`];
}

function describeReview(report: Report): string {
  const { scope, agents } = report;
  const selection = describeSelection(report);
  const files = count(scope.files.length, 'file');
  const completed = agents.filter(({ status }) => status === 'completed').length;
  if (scope.files.length === 0 && scope.skipped === 0 && scope.mode === 'files' && completed > 0) {
    return `${count(completed, 'agent')} worked on the task; no files were selected for them.`;
  }
  if (scope.files.length === 0) {
    const skipped = scope.skipped === 0 ? '' : `; ${count(scope.skipped, 'file')} skipped`;
    return `Nothing was reviewed: there was no file to look at (${selection})${skipped}.`;
  }
  if (completed === 0) {
    return `Nothing was reviewed: no agent completed its work on ${files} (${selection}).`;
  }
  return `Reviewed ${files} (${selection})${describeLines(report)}.`;
}

function describeFindings(report: Report): readonly string[] {
  const { counts, scope, agents } = report;
  const completed = agents.filter(({ status }) => status === 'completed').length;
  if (counts.total === 0) {
    if (scope.files.length === 0 || completed === 0) return [];
    return ['No findings: the agents found nothing of what they look for, which does not prove the code free of faults.'];
  }
  const parts = OUTCOMES.filter((outcome) => counts.outcome[outcome] > 0).map((outcome) => {
    const severities = SEVERITIES.filter((severity) => counts.severity[severity][outcome] > 0);
    const detail = severities.map((severity) => `${counts.severity[severity][outcome]} ${severity}`).join(', ');
    return `${counts.outcome[outcome]} ${OUTCOME_WORDS[outcome]} (${detail})`;
  });
  return [`${count(counts.total, 'finding')}: ${parts.join('; ')}.`];
}

function describeWriting({ run }: Report): readonly string[] {
  if (run.notWritten === undefined) return [];
  const why = printableProse(run.notWritten);
  return [`${why.charAt(0).toUpperCase()}${why.slice(1)}; what came of the run is kept in its journal.`];
}

/** What was reviewed and what came of it: one to five sentences. */
export function verdict(report: Report): readonly string[] {
  const missing = report.omissions.agents.length;
  return [
    ...describeState(report),
    describeReview(report),
    ...describeFindings(report),
    ...(missing === 0 ? [] : [`${missing} of ${count(report.agents.length, 'agent')} did not complete.`]),
    ...describeWriting(report),
  ];
}

/** One thing that was not looked at. */
export interface Omission {
  /** `agent_skipped`, `agent_failed`, `skipped_<reason>`, or the code of the note. */
  readonly code: string;
  readonly sentence: string;
}

/** What was not looked at and why, one sentence each; empty when there is nothing to say. */
export function describeOmissions({ omissions }: Report): readonly Omission[] {
  const agents = omissions.agents.map(({ id, status, reason }) => {
    const what = `${cut(id)} ${status === 'failed' ? 'failed' : 'did not run'}`;
    return { code: `agent_${status}`, sentence: `${what}: ${printableProse(reason) || 'no reason was given'}` };
  });
  const files = omissions.files.map(({ reason, count: amount, examples }) => {
    const more = amount > examples.length ? ` and ${amount - examples.length} more` : '';
    const which = `${examples.map(cut).join(', ')}${more}`;
    return { code: `skipped_${reason}`, sentence: `${count(amount, 'file')} skipped, ${SKIP_WORDS[reason]}: ${which}` };
  });
  const changes = omissions.changes.map(({ code, message }) => ({ code, sentence: printableProse(message) }));
  const notes = omissions.notes.map(({ code, message, count: amount, agents: ids }) => {
    const who = ids.length === 0 ? '' : `${ids.map(cut).join(', ')}: `;
    return { code, sentence: `${who}${printableProse(message)}${amount === undefined ? '' : ` (${amount})`}` };
  });
  return [...agents, ...files, ...changes, ...notes];
}

function votersOf({ votes, reportedBy }: ReportFinding, vote: Vote): string {
  return votes
    .filter((one) => one.vote === vote && !(vote === 'confirm' && reportedBy.includes(one.voter)))
    .map(({ voter, reason }) => {
      const why = printableProse(reason).replace(/\.$/u, '');
      return why === '' ? cut(voter) : `${cut(voter)} (${why})`;
    })
    .join(', ');
}

/**
 * Who found it, who confirmed and who rejected it with their reasons, and who abstained; without a final stop. A
 * finder's own confirmation goes without saying.
 */
export function voteSentences(finding: ReportFinding): readonly string[] {
  const confirmed = votersOf(finding, 'confirm');
  const rejected = votersOf(finding, 'reject');
  const abstentions = finding.votes.filter(({ vote }) => vote === 'abstain');
  const [reason, ...others] = new Set(abstentions.map((vote) => printableProse(vote.reason).replace(/\.$/u, '')));
  const shared = reason === undefined || reason === '' || others.length > 0 ? '' : ` (${reason})`;
  return [
    ...(finding.reportedBy.length === 0 ? [] : [`found by ${finding.reportedBy.map(cut).join(', ')}`]),
    ...(confirmed === '' ? [] : [`confirmed by ${confirmed}`]),
    ...(rejected === '' ? [] : [`rejected by ${rejected}`]),
    ...(abstentions.length === 0 ? [] : [`abstained: ${abstentions.map(({ voter }) => cut(voter)).join(', ')}${shared}`]),
  ];
}

/** Four decimals, as reports of earlier versions have them, which are made again byte by byte; more where they say nothing. */
function costWords(usd: number): string {
  const words = `$${usd.toFixed(4)}`;
  return usd > 0 && Number(words.slice(1)) === 0 ? dollars(usd) : words;
}

/** What a run cost, in sentences. */
export function spendingSentences({
  tokens,
  requests,
  costUsd,
  unpriced,
  possiblyBilledTwice,
}: ReportSpending): readonly string[] {
  const models = unpriced.length === 0 ? '' : `, without what ${unpriced.join(', ')} cost, whose price is not known`;
  return [
    `${count(requests, 'request')} with ${tokens.toLocaleString('en-US')} tokens cost ${costWords(costUsd)}${models}.`,
    ...(possiblyBilledTwice === 0
      ? []
      : [
          possiblyBilledTwice === 1
            ? '1 attempt was cut off in mid-call: its call is possibly billed twice, and is not in the sum.'
            : `${possiblyBilledTwice} attempts were cut off in mid-call: their calls are possibly billed twice, and are not in the sum.`,
        ]),
  ];
}
