import type { SourceFile } from '../changes.ts';
import type { Finding } from '../finding.ts';
import type { Examiner } from './analyzer.ts';
import { judgePatterns } from './code-context-patterns.ts';
import { abstain, confirm, examineFiles, type Judgement, reject } from './examine-files.ts';
import { describeKind, fileKind } from './file-kind.ts';
import { createLocator } from './secrets.ts';
import { scanSecrets, type SecretMatch } from './secrets-scan.ts';
import { entropy, isWordLike, whyPlaceholder } from './secrets-shape.ts';

const FAKE_WORDS =
  /fake|dummy|example|sample|mock|stub|invalid|bogus|not.?real|placeholder|redact|leak|detect|scan|expect\(|toThrow|RFC ?\d/iu;
const CONFIGURATION =
  /(?:^|\/)\.env(?:\.[\w-]+)?$|\.(?:env|ini|cfg|conf|properties|ya?ml|toml|tfvars|json)$|(?:^|\/)\.?(?:npmrc|pypirc|netrc)$/u;

/** Why a value in a test or an example is evidently made up, or `null`. */
function whyFake(match: SecretMatch, text: string): string | null {
  const placeholder = whyPlaceholder(match.secret);
  if (placeholder !== null) return placeholder;
  if (isWordLike(match.secret)) return 'it is made of words';
  if (entropy(match.secret) < 3) return 'it has few different characters';
  const near = text.slice(Math.max(0, match.start - 160), match.start) + text.slice(match.end, match.end + 80);
  const word = FAKE_WORDS.exec(near);
  return word === null ? null : `the text beside it says «${word[0]}»`;
}

/** Where else in the file the name that holds the secret is used: a line from 1, or `null`. */
function useElsewhere(match: SecretMatch, text: string): { readonly name: string; readonly line: number } | null {
  const lineStart = text.lastIndexOf('\n', match.start - 1) + 1;
  const before = text.slice(lineStart, match.start);
  const name = /([A-Za-z_$][\w$]*)\s*(?::\s*[\w<>[\]]+\s*)?(?::=|=>|[:=])\s*[bruf]{0,2}["'`]?[^"'`]*$/u.exec(before)?.[1];
  if (name === undefined || name.length < 3) return null;
  const lines = text.split('\n');
  const own = text.slice(0, match.start).split('\n').length;
  const use = lines.findIndex(
    (line, index) =>
      index + 1 !== own && new RegExp(String.raw`(?<![\w$])${name.replaceAll('$', String.raw`\$`)}(?![\w$])`, 'u').test(line),
  );
  return use === -1 ? null : { name, line: use + 1 };
}

function judgeSecret(finding: Finding, file: SourceFile, text: string, match: SecretMatch | undefined): Judgement {
  if (match === undefined) return abstain(`the flagged text is no longer in ${file.path}`);
  const kind = fileKind(file.path);
  const { startLine } = finding.range;
  if (kind !== 'source') {
    const why = whyFake(match, text);
    return why === null
      ? abstain(`${file.path} is ${describeKind(kind)}, but the value on line ${startLine} is not evidently fake`)
      : reject(`${file.path} is ${describeKind(kind)} and the value on line ${startLine} is made up: ${why}`);
  }
  if (CONFIGURATION.test(file.path))
    return confirm(`${file.path} is configuration, and line ${startLine} gives the value in plain text`);
  const use = useElsewhere(match, text);
  if (use !== null)
    return confirm(`${file.path} is production code, and ${use.name} of line ${startLine} is used on line ${use.line}`);
  return abstain(`${file.path} is production code, but no use of the value on line ${startLine} is visible in it`);
}

function judgeSecrets(findings: readonly Finding[], file: SourceFile, text: string): readonly Judgement[] {
  const locate = createLocator(text);
  const matches = scanSecrets(text, file.path).map((match) => ({ match, range: locate(match.start, match.end) }));
  return findings.map((finding) => {
    const own = matches.find(
      ({ match, range }) =>
        match.rule.id === finding.rule &&
        range.startLine === finding.range.startLine &&
        range.startColumn === finding.range.startColumn,
    );
    return judgeSecret(finding, file, text, own?.match);
  });
}

/**
 * Judges secrets and security patterns by what surrounds them: what the file is for, where the value comes from,
 * whether the code runs, whether a check stands before it. Abstains where this tells nothing.
 */
export const codeContextExaminer: Examiner = {
  capability: 'code-context',
  examine: (findings, context) =>
    examineFiles(findings, context, ['secrets', 'security-patterns'], (group, file, text) => {
      const secrets = group.filter((finding) => finding.capability === 'secrets');
      const patterns = group.filter((finding) => finding.capability === 'security-patterns');
      const judged = new Map<string, Judgement>();
      judgeSecrets(secrets, file, text).forEach((judgement, index) => judged.set(secrets[index]?.id ?? '', judgement));
      judgePatterns(patterns, file, text).forEach((judgement, index) => judged.set(patterns[index]?.id ?? '', judgement));
      return group.map((finding) => judged.get(finding.id) ?? abstain('no judgement was made'));
    }),
};
