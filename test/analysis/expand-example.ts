import { seeded } from '../helpers/seeded.ts';

const ALPHABETS: Readonly<Record<string, string>> = {
  alnum: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789',
  base32: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567',
  base64: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
  word: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-',
  hex: '0123456789abcdef',
  bech32: 'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L',
  digit: '0123456789',
  upper: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789',
  lower: 'abcdefghijklmnopqrstuvwxyz0123456789',
};

/**
 * Fills an example in: `{hex:32}` becomes 32 characters of that alphabet, drawn from the seed, `{join}` becomes
 * nothing. The random parts, numbers apart, are also returned, so that a test can look for them in what was printed.
 */
export function expandExample(template: string, seed: number): { readonly text: string; readonly secrets: readonly string[] } {
  const next = seeded(seed);
  const secrets: string[] = [];
  const text = template.replace(/\{join\}/gu, '').replace(/\{(\w+):(\d+)\}/gu, (whole, name: string, length: string) => {
    const alphabet = ALPHABETS[name];
    if (alphabet === undefined) return whole;
    let drawn = '';
    for (let i = 0; i < Number(length); i += 1) drawn += alphabet.charAt(Math.floor(next() * alphabet.length));
    if (drawn.length >= 8 && name !== 'digit') secrets.push(drawn);
    return drawn;
  });
  return { text, secrets };
}
