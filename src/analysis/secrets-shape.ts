/** Shannon entropy of a text in bits a character; 0 for the empty text. */
export function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

const PLACEHOLDER =
  /example|sample|dummy|placeholder|change[-_ ]?(?:me|it|this)|replace[-_ ]?(?:me|with)|your[-_ ]|[-_ ]here\b|insert[-_ ]|redacted|not[-_ ]?a[-_ ]?(?:real|secret)|fake|foobar|lorem|deadbeef|todo|fixme|x{4,}|\*{3,}|\.{3}|…|(?:^|[^a-z])(?:test|demo|mock)[-_ ]?(?:key|token|secret|pass)/iu;
const INTERPOLATION = /\{\w+(?::\d+)?\}|\$\{|\$\(|\{\{|<[^<>]*>|%\(|%s|#\{|\$[A-Z_]{3,}|process\.env|os\.environ|getenv|\[\[/u;
const SEQUENCES = ['0123456789', '9876543210', 'abcdefghijklmnopqrstuvwxyz', 'qwertyuiop', 'asdfghjkl'];

function hasLongRun(text: string): boolean {
  return /(.)\1{5,}/u.test(text) || /^(.{1,4})\1{3,}$/u.test(text) || /(.{3,12})\1\1/u.test(text);
}

/** Whether six or more characters follow one another as on a keyboard, in the alphabet or in counting. */
function hasSequence(text: string): boolean {
  const lower = text.toLowerCase();
  return SEQUENCES.some((sequence) => {
    for (let i = 0; i + 6 <= sequence.length; i += 1) if (lower.includes(sequence.slice(i, i + 6))) return true;
    return false;
  });
}

/**
 * Why a value cannot be a live credential, or `null` where nothing speaks against it: words of templates and
 * documentation, interpolation, runs of one character, sequences.
 */
export function whyPlaceholder(value: string): string | null {
  if (value === '') return 'it is empty';
  if (INTERPOLATION.test(value)) return 'it is filled in when the program runs';
  if (PLACEHOLDER.test(value)) return 'it has a word of placeholders';
  if (hasLongRun(value)) return 'it repeats characters';
  if (hasSequence(value)) return 'it counts up characters';
  return null;
}

const VOWEL = /[aeiouy]/iu;

/** Whether a value is made of words: an identifier, a path, a sentence. Random texts hardly ever are. */
export function isWordLike(value: string): boolean {
  if (/\s/u.test(value)) return true;
  const words = value
    .replace(/([a-z])([A-Z])/gu, '$1 $2')
    .split(/[^a-zA-Z]+/u)
    .filter((word) => word !== '');
  if (words.length === 0 || words.join('').length < words.length * 3) return false;
  const digits = value.replace(/\D/gu, '').length;
  if (digits > 2 || /[^\w\-./:@ ]/u.test(value)) return false;
  return words.every(
    (word) =>
      word.length <= 14 &&
      (word.length < 4 || VOWEL.test(word)) &&
      !/[b-df-hj-np-tv-xz]{5}/iu.test(word) &&
      /^(?:[A-Z]?[a-z]+|[A-Z]+)$/u.test(word),
  );
}
