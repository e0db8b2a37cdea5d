import type { Severity } from '../../finding.ts';
import { SEVERITIES } from '../../finding.ts';
import type { ReportFinding } from './report.ts';

/** What is known of a rule beside its findings. */
export interface RuleDescription {
  /** As in `Finding.rule`. */
  readonly id: string;
  /** One sentence: what the rule finds. */
  readonly summary: string;
  /** What to do about it. */
  readonly help?: string;
  /** e.g. `CWE-78`. */
  readonly cwe?: readonly string[];
}

export type Level = 'error' | 'warning' | 'note';

export const LEVELS: Readonly<Record<Severity, Level>> = {
  critical: 'error',
  high: 'error',
  medium: 'warning',
  low: 'note',
  info: 'note',
};

/**
 * Scores within the bands by which GitHub code scanning names a security result: critical over 9.0, high from 7.0,
 * medium from 4.0, low from 0.1.
 */
const SECURITY_SEVERITY: Readonly<Record<Severity, string>> = {
  critical: '9.5',
  high: '8.0',
  medium: '5.5',
  low: '2.0',
  info: '0.1',
};
const SECURITY_FAMILIES: ReadonlySet<string> = new Set(['security', 'secrets']);
/** GitHub code scanning refuses rules with more. */
const MAX_TAGS = 20;

/** A string as plain text of a SARIF message: braces doubled (§3.11.5), nothing that reads as a link (§3.11.6). */
export function messageText(text: string): string {
  return text.replace(/[{}]/gu, '$&$&').replaceAll('](', '] (');
}

/** `security/js-eval-dynamic` → `js eval dynamic`. */
function words(rule: string): string {
  return rule.slice(rule.indexOf('/') + 1).replaceAll('-', ' ') || rule;
}

function worst(findings: readonly ReportFinding[]): Severity {
  return SEVERITIES.find((severity) => findings.some((finding) => finding.severity === severity)) ?? 'info';
}

function describeRule(id: string, findings: readonly ReportFinding[], known: RuleDescription | undefined): object {
  const family = id.split('/')[0] ?? id;
  const severity = worst(findings);
  const cwe = new Set([...(known?.cwe ?? []), ...findings.flatMap((finding) => finding.cwe ?? [])]);
  const isSecurity = SECURITY_FAMILIES.has(family) || cwe.size > 0;
  const tags = new Set([
    ...(isSecurity ? ['security'] : []),
    family,
    ...findings.map(({ capability }) => capability),
    ...Array.from(cwe, (name) => `external/cwe/${name.toLowerCase()}`),
  ]);
  const summary = messageText(known?.summary ?? words(id)) || id;
  const help = known?.help ?? findings.find(({ advice }) => advice !== undefined)?.advice;
  return {
    id,
    shortDescription: { text: summary },
    help: { text: help === undefined ? summary : messageText(help) },
    defaultConfiguration: { level: LEVELS[severity] },
    properties: {
      tags: [...tags].slice(0, MAX_TAGS),
      ...(isSecurity ? { 'security-severity': SECURITY_SEVERITY[severity] } : {}),
    },
  };
}

/**
 * The rules that the findings name, sorted by id, with the place of each: what `results[].ruleIndex` refers to. A
 * rule without a description is described by its name and by the advice of its first finding.
 */
export function describeRules(
  findings: readonly ReportFinding[],
  known: readonly RuleDescription[],
): { readonly rules: readonly object[]; readonly indexOf: ReadonlyMap<string, number> } {
  const byRule = new Map<string, ReportFinding[]>();
  for (const finding of findings) {
    const same = byRule.get(finding.rule);
    if (same === undefined) byRule.set(finding.rule, [finding]);
    else same.push(finding);
  }
  const descriptions = new Map(known.map((rule) => [rule.id, rule]));
  const ids = [...byRule.keys()].sort();
  return {
    rules: ids.map((id) => describeRule(id, byRule.get(id) ?? [], descriptions.get(id))),
    indexOf: new Map(ids.map((id, at) => [id, at])),
  };
}
