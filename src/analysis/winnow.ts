/** Tokens hashed together. */
const GRAM = 25;
/** Grams of which one is kept: every run of `GRAM + WINDOW - 1` = 50 equal tokens shares a kept gram. */
const WINDOW = 26;
export const GUARANTEED_TOKENS = GRAM + WINDOW - 1;

const BASE = 0x0100_0193;

/** Spreads the bits of a polynomial hash, so that the smallest of a window is a fair pick (MurmurHash3's finalizer). */
function mix(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function gramHashes(tokens: Uint32Array): Uint32Array {
  const grams = new Uint32Array(Math.max(0, tokens.length - GRAM + 1));
  let top = 1;
  for (let i = 0; i < GRAM; i += 1) top = Math.imul(top, BASE);
  let hash = 0;
  for (let i = 0; i < tokens.length; i += 1) {
    hash = (Math.imul(hash, BASE) + (tokens[i] ?? 0)) | 0;
    if (i >= GRAM) hash = (hash - Math.imul(top, tokens[i - GRAM] ?? 0)) | 0;
    if (i >= GRAM - 1) grams[i - GRAM + 1] = mix(hash);
  }
  return grams;
}

/**
 * Fingerprints of a token sequence: `[hash, position]` pairs, flattened. Two sequences that share 50 tokens in a row
 * share a fingerprint. Linear time. Source: S. Schleimer, D. Wilkerson, A. Aiken, "Winnowing: Local Algorithms for
 * Document Fingerprinting", SIGMOD 2003 (rightmost minimum of each window). Fewer than 50 tokens give none.
 */
export function winnow(tokens: Uint32Array): Uint32Array {
  const grams = gramHashes(tokens);
  const prints: number[] = [];
  const queue: number[] = [];
  let head = 0;
  let kept = -1;
  for (let i = 0; i < grams.length; i += 1) {
    const gram = grams[i] ?? 0;
    while (queue.length > head && (grams[queue.at(-1) ?? 0] ?? 0) >= gram) queue.pop();
    queue.push(i);
    while ((queue[head] ?? 0) <= i - WINDOW) head += 1;
    const least = queue[head] ?? i;
    if (i >= WINDOW - 1 && least !== kept) {
      prints.push(grams[least] ?? 0, least);
      kept = least;
    }
  }
  return Uint32Array.from(prints);
}
