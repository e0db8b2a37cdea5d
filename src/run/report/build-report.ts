import type { Ballot, Decision, Outcome, Vote } from '../../ballot.ts';
import type { EventScope } from '../../events.ts';
import { SEVERITIES } from '../../finding.ts';
import type { Confidence, Severity, SourceRange } from '../../finding.ts';
import { findOmissions } from './omissions.ts';
import type { OutcomeCounts, Report, ReportFinding, ReportInput, ReportVote, Scope } from './report.ts';

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** What is surer comes first. */
const OUTCOMES: readonly Outcome[] = ['confirmed', 'tie', 'no_quorum', 'rejected'];
const CONFIDENCES: readonly Confidence[] = ['high', 'medium', 'low'];

function compareFindings(a: ReportFinding, b: ReportFinding): number {
  return (
    SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
    OUTCOMES.indexOf(a.outcome) - OUTCOMES.indexOf(b.outcome) ||
    CONFIDENCES.indexOf(a.confidence) - CONFIDENCES.indexOf(b.confidence) ||
    compareText(a.file, b.file) ||
    a.range.startLine - b.range.startLine ||
    a.range.startColumn - b.range.startColumn ||
    compareText(a.rule, b.rule) ||
    compareText(a.id, b.id)
  );
}

function firstVotes(ballots: readonly Ballot[]): ReadonlyMap<string, readonly ReportVote[]> {
  const bySubject = new Map<string, ReportVote[]>();
  for (const { subject, voter, vote, reason } of ballots) {
    const votes = bySubject.get(subject) ?? [];
    if (!votes.some((earlier) => earlier.voter === voter)) votes.push({ voter, vote, reason });
    bySubject.set(subject, votes);
  }
  return bySubject;
}

const LOSING: Readonly<Record<Outcome, Vote | null>> = { confirmed: 'reject', rejected: 'confirm', tie: null, no_quorum: null };

function orderRange({ startLine, startColumn, endLine, endColumn }: SourceRange): SourceRange {
  return { startLine, startColumn, endLine, endColumn };
}

function judge(
  finding: ReportInput['findings'][number],
  votes: readonly ReportVote[],
  decision: Decision | undefined,
): ReportFinding {
  const outcome = decision?.outcome ?? 'no_quorum';
  return {
    id: finding.id,
    outcome,
    severity: finding.severity,
    confidence: finding.confidence,
    rule: finding.rule,
    capability: finding.capability,
    file: finding.file,
    range: orderRange(finding.range),
    message: finding.message,
    evidence: finding.evidence,
    ...(finding.advice === undefined ? {} : { advice: finding.advice }),
    ...(finding.cwe === undefined ? {} : { cwe: finding.cwe }),
    ...(finding.related === undefined
      ? {}
      : { related: finding.related.map((place) => ({ file: place.file, range: orderRange(place.range) })) }),
    reportedBy: finding.reportedBy,
    votes,
    dissent: votes.filter(({ vote }) => vote === LOSING[outcome]),
    decision:
      decision === undefined
        ? null
        : {
            rule: decision.rule,
            confirms: decision.confirms,
            rejects: decision.rejects,
            abstains: decision.abstains,
            quorum: decision.quorum,
            eligible: decision.eligible,
            ...(decision.note === undefined ? {} : { note: decision.note }),
          },
  };
}

function countOutcomes(findings: readonly ReportFinding[]): OutcomeCounts {
  const counts = { confirmed: 0, no_quorum: 0, tie: 0, rejected: 0 };
  for (const { outcome } of findings) counts[outcome] += 1;
  return counts;
}

function describeScope({ mode, base, git, files, skipped }: EventScope): Scope {
  return {
    mode,
    base,
    git: git === null ? null : { head: git.head, branch: git.branch, shallow: git.shallow },
    files: files.map(({ path, status, changedLines }) => ({ path, status, changedLines })),
    changedLines: files.reduce((sum, { changedLines }) => sum + (changedLines ?? 0), 0),
    wholeFiles: files.filter(({ changedLines }) => changedLines === null).length,
    skipped: skipped.length,
  };
}

/**
 * Puts together what a run found, what was decided on it and what was not looked at. Pure; the order of the result
 * depends on the facts alone, and its keys are always in the same order. Ballots and decisions on unknown subjects
 * are left out. With nothing in the input the report has zero counts and empty lists.
 */
export function buildReport(input: ReportInput): Report {
  const { run } = input;
  const votes = firstVotes(input.ballots);
  const decisions = new Map(input.decisions.map((decision) => [decision.subject, decision]));
  const findings = input.findings
    .map((finding) => judge(finding, votes.get(finding.id) ?? [], decisions.get(finding.id)))
    .sort(compareFindings);
  const ofSeverity = (severity: Severity): OutcomeCounts => countOutcomes(findings.filter((one) => one.severity === severity));
  return {
    run: {
      id: run.id,
      skill: run.skill,
      skillVersion: run.skillVersion,
      task: run.task,
      provider: run.provider,
      topology: run.topology,
      status: run.status,
      ...(run.reason === undefined ? {} : { reason: run.reason }),
      ...(run.planReason === undefined ? {} : { planReason: run.planReason }),
      ...(run.growthEnd === undefined ? {} : { growthEnd: run.growthEnd }),
      ...(run.notWritten === undefined ? {} : { notWritten: run.notWritten }),
      startedAt: run.startedAt,
      durationMs: run.durationMs,
    },
    scope: describeScope(input.changes),
    counts: {
      total: findings.length,
      outcome: countOutcomes(findings),
      severity: {
        critical: ofSeverity('critical'),
        high: ofSeverity('high'),
        medium: ofSeverity('medium'),
        low: ofSeverity('low'),
        info: ofSeverity('info'),
      },
    },
    findings,
    omissions: findOmissions(input),
    agents: input.agents.map((agent) => ({
      id: agent.id,
      ...(agent.name === undefined ? {} : { name: agent.name }),
      type: agent.type,
      capabilities: agent.capabilities,
      status: agent.status,
      ...(agent.reason === undefined ? {} : { reason: agent.reason }),
      durationMs: agent.durationMs,
      findings: agent.findings,
      ballots: agent.ballots,
      ...(agent.provider === undefined ? {} : { provider: agent.provider }),
    })),
    ...(input.answers === undefined ? {} : { answers: input.answers }),
    ...(input.spending === undefined ? {} : { spending: input.spending }),
    outputs: input.outputs ?? [],
  };
}
