import { createHash } from 'node:crypto';
import type { SourceFile } from '../changes.ts';
import type { Finding, SourceRange } from '../finding.ts';
import type { FileAnalyzer, FileInput } from './analyzer.ts';
import { createFindingIds } from './finding-id.ts';
import { redacted } from '../printable.ts';
import { evidenceLine } from './secrets-redact.ts';
import { scanSecrets, type SecretMatch } from './secrets-scan.ts';
import { touchesChange } from './touches-change.ts';

/** What stands for a secret in ids and may be stored: 16 hex digits of its SHA-256. */
export function secretFingerprint(secret: string): string {
  return createHash('sha256').update(secret).digest('hex').slice(0, 16);
}

/** Turns offsets into lines and columns; `lineStarts` is built once a text. */
export function createLocator(text: string): (start: number, end: number) => SourceRange {
  const starts = [0];
  for (let i = text.indexOf('\n'); i !== -1; i = text.indexOf('\n', i + 1)) starts.push(i + 1);
  const place = (offset: number): { line: number; column: number } => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
  return (start, end) => {
    const from = place(start);
    const to = place(end);
    return { startLine: from.line, startColumn: from.column, endLine: to.line, endColumn: to.column };
  };
}

const SKIPPED_NAME =
  /(?:^|\/)(?:package-lock\.json|pnpm-lock\.yaml|yarn\.lock|bun\.lock|Cargo\.lock|poetry\.lock|uv\.lock|composer\.lock|Gemfile\.lock|go\.sum|npm-shrinkwrap\.json)$|\.(?:svg|map)$/u;

function findingOf(match: SecretMatch, file: SourceFile, text: string, id: string, range: SourceRange): Finding {
  return {
    id,
    rule: match.rule.id,
    severity: match.rule.severity,
    confidence: match.rule.confidence,
    capability: 'secrets',
    file: file.path,
    range,
    message: `A ${match.rule.label} is written in the file: ${redacted(match.secret)}`,
    evidence: evidenceLine(text, match.start, [match]),
    advice: 'Revoke it, make a new one, and read it from the environment or a secret store.',
    cwe: ['CWE-798'],
  };
}

/**
 * Finds credentials in any text file. Message and evidence hold a redacted form only; the id depends on a hash of the
 * secret, so it is stable when the secret moves. Lock files are passed over: their hashes are no secrets.
 */
export const secretsAnalyzer: FileAnalyzer = {
  kind: 'file',
  id: 'secrets',
  capability: 'secrets',
  accepts: (file) => !SKIPPED_NAME.test(file.path),
  analyze({ file, text }: FileInput) {
    const matches = scanSecrets(text, file.path);
    if (matches.length === 0) return [];
    const nextId = createFindingIds(file.path);
    const locate = createLocator(text);
    return matches
      .map((match) =>
        findingOf(match, file, text, nextId(match.rule.id, secretFingerprint(match.secret)), locate(match.start, match.end)),
      )
      .filter((finding) => touchesChange(finding.range, file.changed));
  },
};
