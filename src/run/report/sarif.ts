import { printable } from '../../printable.ts';
import type { SourceRange } from '../../finding.ts';
import { stringify } from './json.ts';
import type { Report, ReportFinding } from './report.ts';
import { describeRules, LEVELS, messageText } from './sarif-rules.ts';
import type { Level, RuleDescription } from './sarif-rules.ts';
import { isoTime, describeOmissions, voteSentences } from './sentences.ts';

export type { RuleDescription } from './sarif-rules.ts';

export interface SarifOptions {
  readonly toolVersion: string;
  /** Descriptions of rules, for those that have findings. */
  readonly rules?: readonly RuleDescription[];
  /** Where the repository lies, as git names its remote; user names and passwords in it are left out. */
  readonly repository?: string;
}

const SCHEMA = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json';
const ROOT = '%SRCROOT%';
const SEMVER = /^\d+\.\d+\.\d+(?:-[\w.-]+)?(?:\+[\w.-]+)?$/u;
const GUID = /^[\da-f]{8}-[\da-f]{4}-[1-5][\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/iu;

/** A path from the root as a URI reference (RFC 3986); lone surrogates, which UTF-8 cannot hold, become U+FFFD. */
function toUri(path: string): string {
  return path
    .replace(/\p{Cs}/gu, '\u{fffd}')
    .split('/')
    .map((segment) => encodeURIComponent(segment))
    .join('/');
}

function location({ file, range }: { readonly file: string; readonly range: SourceRange }): object {
  const { startLine, startColumn, endLine, endColumn } = range;
  return {
    physicalLocation: {
      artifactLocation: { uri: toUri(file), uriBaseId: ROOT },
      region: { startLine, startColumn, endLine, endColumn },
    },
  };
}

/** Results that the agents voted down are kept as suppressed, with their reasons. */
function suppressions(finding: ReportFinding): readonly object[] {
  if (finding.outcome !== 'rejected') return [];
  return [{ kind: 'external', status: 'accepted', justification: voteSentences(finding).join('; ') }];
}

function result(finding: ReportFinding, ruleIndex: number | undefined): object {
  const related = finding.related ?? [];
  const text = finding.advice === undefined ? finding.message : `${finding.message} ${finding.advice}`;
  return {
    ruleId: finding.rule,
    ...(ruleIndex === undefined ? {} : { ruleIndex }),
    level: LEVELS[finding.severity],
    message: { text: messageText(printable(text)) || finding.rule },
    locations: [location(finding)],
    ...(related.length === 0 ? {} : { relatedLocations: related.map((other, id) => ({ id, ...location(other) })) }),
    partialFingerprints: { 'skillflow/v1': finding.id },
    suppressions: suppressions(finding),
    properties: {
      severity: finding.severity,
      confidence: finding.confidence,
      outcome: finding.outcome,
      evidence: finding.evidence,
      reportedBy: finding.reportedBy,
      votes: finding.votes,
    },
  };
}

const NOTIFICATION_LEVELS: Readonly<Record<string, Level>> = {
  run_failed: 'error',
  run_cancelled: 'warning',
  run_interrupted: 'warning',
  agent_failed: 'warning',
};

function invocation(report: Report): object {
  const { run } = report;
  const start = isoTime(run.startedAt);
  const end = run.status === 'running' ? null : isoTime(run.startedAt + run.durationMs);
  const failure = run.reason === undefined ? [] : [{ code: `run_${run.status}`, sentence: run.reason }];
  return {
    executionSuccessful: run.status === 'completed',
    ...(start === null ? {} : { startTimeUtc: start }),
    ...(end === null ? {} : { endTimeUtc: end }),
    toolExecutionNotifications: [...failure, ...describeOmissions(report)].map(({ code, sentence }) => ({
      level: NOTIFICATION_LEVELS[code] ?? 'note',
      message: { text: messageText(printable(sentence)) },
      descriptor: { id: code },
    })),
  };
}

/** A remote as a URI that may be published, or `null` when it is no address on a network. */
function publicUri(remote: string): string | null {
  const scp = /^(?:[\w.-]+@)?([\w.-]{2,}):(?!\/\/)\/?(.+)$/u.exec(remote);
  const address = scp === null ? remote : `ssh://${scp[1]}/${scp[2]}`;
  if (!URL.canParse(address)) return null;
  const { protocol, host, pathname } = new URL(address);
  return ['https:', 'http:', 'ssh:', 'git:'].includes(protocol) && host !== '' ? `${protocol}//${host}${pathname}` : null;
}

function provenance({ scope }: Report, repository: string | undefined): object {
  const repositoryUri = repository === undefined ? null : publicUri(repository);
  if (repositoryUri === null || scope.git === null) return {};
  const { head, branch } = scope.git;
  const details = { repositoryUri, ...(head === null ? {} : { revisionId: head }), ...(branch === null ? {} : { branch }) };
  return { versionControlProvenance: [details] };
}

/**
 * The findings as a SARIF 2.1.0 log (OASIS Standard, errata 01) with one run. Paths are relative to `%SRCROOT%`, which
 * is not told; rejected findings are suppressed results; omissions are notifications. Without findings the log has an
 * empty list of results. Ends in a line break.
 */
export function renderSarif(report: Report, options: SarifOptions): string {
  const { run, findings } = report;
  const { rules, indexOf } = describeRules(findings, options.rules ?? []);
  const version = options.toolVersion;
  return stringify({
    $schema: SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'Skillflow', version, ...(SEMVER.test(version) ? { semanticVersion: version } : {}), rules } },
        automationDetails: { id: `skillflow/${run.skill}/${run.id}`, ...(GUID.test(run.id) ? { guid: run.id } : {}) },
        invocations: [invocation(report)],
        ...provenance(report, options.repository),
        originalUriBaseIds: { [ROOT]: { description: { text: 'The root of the project.' } } },
        columnKind: 'utf16CodeUnits',
        results: findings.map((finding) => result(finding, indexOf.get(finding.rule))),
      },
    ],
  });
}
