/**
 * The first of `phrases` that occurs in a text as whole words, whatever its case; `null` where none does. A phrase ends
 * at a word's end, so `compare` is not in `comparable`.
 */
export function firstPhrase(text: string, phrases: readonly string[]): string | null {
  const words = ` ${
    text
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu)
      ?.join(' ') ?? ''
  } `;
  return phrases.find((phrase) => words.includes(` ${phrase} `)) ?? null;
}
