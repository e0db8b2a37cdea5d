import type { Finding } from '../../finding.ts';
import type { FileAnalyzer, FileInput } from '../analyzer.ts';
import { createFindingIds } from '../finding-id.ts';
import { evidenceLine, redactSecrets } from '../secrets-redact.ts';
import { nodeRange } from '../syntax.ts';
import { touchesChange } from '../touches-change.ts';
import type { Hit } from './rule.ts';
import { rulesOf } from './rules.ts';
import { openScene, type RuleHit, rulesFor, scanScene } from './scan.ts';

const ANCHOR_LENGTH = 300;

/** Says where the value comes from, where the rule is about a value. */
function sourceText(hit: Hit): string {
  if (hit.detail !== undefined) return ` (${hit.detail})`;
  if (hit.origin === undefined || hit.origin.via === '') return '';
  const what = { request: 'outside input', parameter: 'parameter', unknown: 'value', sanitized: 'value', constant: 'value' };
  return ` (${what[hit.origin.kind]}: ${redactSecrets(hit.origin.via)})`;
}

function findingOf({ rule, hit, node }: RuleHit, input: FileInput, id: string): Finding {
  const offset = node.range().start.index;
  const hidden = hit.secret === undefined ? [] : secretRanges(input.text, hit.secret);
  return {
    id,
    rule: rule.id,
    severity: hit.severity ?? rule.severity,
    confidence: hit.confidence,
    capability: 'security-patterns',
    file: input.file.path,
    range: nodeRange(node),
    message: `${rule.message}${sourceText(hit)}`,
    evidence: evidenceLine(input.text, offset, hidden),
    advice: rule.advice,
    cwe: rule.cwe,
  };
}

/** Every place where a literal credential stands; one of fewer than 3 characters is hidden by its quotes' rule alone. */
function secretRanges(text: string, secret: string): { readonly start: number; readonly end: number }[] {
  const found: { start: number; end: number }[] = [];
  if (secret.length < 3) return found;
  for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + secret.length))
    found.push({ start: at, end: at + secret.length });
  return found;
}

/** All findings of a file with what the rules saw, changed or not; empty where the text has no parser. */
export function inspectFile(input: FileInput): { readonly finding: Finding; readonly hit: RuleHit }[] {
  const rules = rulesFor(rulesOf(input.file.language), input.text);
  if (rules.length === 0) return [];
  const parsed = openScene(input.file.language, input.file.path, input.text);
  if (parsed === null) return [];
  const nextId = createFindingIds(input.file.path);
  return scanScene(parsed, rules).map((hit) => ({
    hit,
    finding: findingOf(hit, input, nextId(hit.rule.id, hit.node.text().slice(0, ANCHOR_LENGTH))),
  }));
}

/**
 * Finds dangerous patterns in JavaScript, TypeScript and Python by syntax tree and light dataflow inside functions.
 * Findings lie on changed lines; the evidence is the flagged line, redacted. A text that does not parse has none.
 */
export const securityPatternsAnalyzer: FileAnalyzer = {
  kind: 'file',
  id: 'security-patterns',
  capability: 'security-patterns',
  accepts: (file) => file.language !== 'text',
  analyze(input) {
    return inspectFile(input)
      .map(({ finding }) => finding)
      .filter((finding) => touchesChange(finding.range, input.file.changed));
  },
};
