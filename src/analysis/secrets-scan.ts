import { entropy, whyPlaceholder } from './secrets-shape.ts';
import { cloudSecretRules } from './secrets-rules-cloud.ts';
import { genericSecretRules } from './secrets-rules-generic.ts';
import { serviceSecretRules } from './secrets-rules-services.ts';
import type { SecretRule } from './secrets-rule.ts';

/** Every rule, from the most to the least specific: the first one to claim a text has it. */
export const SECRET_RULES: readonly SecretRule[] = [...cloudSecretRules, ...serviceSecretRules, ...genericSecretRules];

/** A secret in a text. Holds the secret itself: never print it. */
export interface SecretMatch {
  readonly rule: SecretRule;
  readonly secret: string;
  /** Offsets in UTF-16 units, the end exclusive. */
  readonly start: number;
  readonly end: number;
}

function isLikely(rule: SecretRule, secret: string, match: string, path: string): boolean {
  if (rule.minimumEntropy !== undefined && entropy(secret) < rule.minimumEntropy) return false;
  if (rule.multiline !== true && whyPlaceholder(secret) !== null && !isLongRandom(secret)) return false;
  return rule.accepts === undefined || rule.accepts(secret, match, path);
}

/** A long random text may spell a word of placeholders by chance, such as `fake` or `todo`; the longer, the likelier. */
function isLongRandom(secret: string): boolean {
  return secret.length >= 48 && entropy(secret) >= 4.2 && !/(.)\1{4,}|example|placeholder|your/iu.test(secret);
}

/** Places where a rule's pattern matches, likely or not. */
function* matchesOf(
  rule: SecretRule,
  text: string,
): Generator<{ readonly secret: string; readonly start: number; readonly match: string }> {
  for (const match of text.matchAll(rule.pattern)) {
    const secret = match[1] ?? match[2];
    if (secret === undefined) continue;
    yield { secret, start: match.index + match[0].lastIndexOf(secret), match: match[0] };
  }
}

/** The rules that one of whose keywords is in the text. */
function rulesFor(text: string): SecretRule[] {
  const lower = text.toLowerCase();
  return SECRET_RULES.filter((rule) => rule.keywords.some((keyword) => (rule.anyCase === true ? lower : text).includes(keyword)));
}

/**
 * Finds credentials in a text. Passes over placeholders and values of low entropy; of overlapping matches the one of
 * the most specific rule stays. Sorted by place.
 *
 * @param path path of the file, which decides whether it is a configuration file
 */
export function scanSecrets(text: string, path: string): SecretMatch[] {
  const found: SecretMatch[] = [];
  for (const rule of rulesFor(text)) {
    for (const { secret, start, match } of matchesOf(rule, text)) {
      const end = start + secret.length;
      if (found.some((other) => other.start < end && start < other.end)) continue;
      if (isLikely(rule, secret, match, path)) found.push({ rule, secret, start, end });
    }
  }
  return found.sort((a, b) => a.start - b.start);
}

/** Every place that looks like a credential to any rule, placeholders included: what must not be printed. */
export function suspectRanges(text: string): { readonly start: number; readonly end: number }[] {
  const found: { start: number; end: number }[] = [];
  for (const rule of rulesFor(text)) {
    for (const { secret, start } of matchesOf(rule, text)) {
      const isCode = rule.id === 'secrets/config-credential' && /[([{;]|^\w+(?:\.\w+)+$/u.test(secret);
      if (!isCode) found.push({ start, end: start + secret.length });
    }
  }
  return found;
}
