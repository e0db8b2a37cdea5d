import type { Examiner } from './analyzer.ts';
import { abstain, confirm, examineFiles, type Judgement, reject } from './examine-files.ts';
import { redacted } from '../printable.ts';
import { scanSecrets } from './secrets-scan.ts';
import { entropy, isWordLike, whyPlaceholder } from './secrets-shape.ts';
import { inspectFile } from './security/patterns.ts';

/** Judges a literal by its own looks: its format, its alphabets, its entropy. */
function judgeLiteral(value: string): Judgement {
  const known = scanSecrets(value, '')[0];
  if (known !== undefined) return confirm(`the value ${redacted(value)} has the format of a ${known.rule.label}`);
  const why = whyPlaceholder(value);
  if (why !== null) return reject(`the value ${redacted(value)} is no live credential: ${why}`);
  if (isWordLike(value)) return abstain(`the value ${redacted(value)} is made of words: it may be a weak password or a name`);
  const alphabets = [/[a-z]/u, /[A-Z]/u, /\d/u, /[^A-Za-z0-9]/u].filter((alphabet) => alphabet.test(value)).length;
  const bits = entropy(value);
  if (value.length >= 8 && alphabets >= 2 && bits >= 2.75) {
    return confirm(
      `the value ${redacted(value)} mixes ${alphabets} kinds of characters with ${bits.toFixed(1)} bits each, as credentials do`,
    );
  }
  return abstain(`the value ${redacted(value)} is too short or too plain to tell a credential from a name`);
}

/**
 * The secrets capability's opinion on security patterns: those that flag a literal credential are judged by the
 * literal's looks; from all others it abstains.
 */
export const secretsExaminer: Examiner = {
  capability: 'secrets',
  examine: (findings, context) =>
    examineFiles(findings, context, ['security-patterns'], (group, file, text) => {
      const hits = new Map(inspectFile({ file, text }).map(({ finding, hit }) => [finding.id, hit]));
      return group.map((finding) => {
        const hit = hits.get(finding.id);
        if (hit === undefined) return abstain(`the flagged code is no longer in ${file.path}`);
        const { secret } = hit.hit;
        return secret === undefined ? abstain(`no credential is part of ${finding.rule}`) : judgeLiteral(secret);
      });
    }),
};
