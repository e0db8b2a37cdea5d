import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLexicalEmbedder } from '../../../src/memory/embed/lexical-embedder.ts';

const embedder = createLexicalEmbedder();
const { signal } = new AbortController();

async function vector(text: string): Promise<Float32Array> {
  const [only] = await embedder.embed([text], 'document', signal);
  return only ?? new Float32Array();
}

async function similarity(a: string, b: string): Promise<number> {
  const other = await vector(b);
  return (await vector(a)).reduce((sum, value, at) => sum + value * (other[at] ?? 0), 0);
}

describe('the built-in embedder', () => {
  test('is not called semantic', () => {
    expect(embedder).toMatchObject({ provider: 'lexical', model: 'hashed-ngrams-384', dimensions: 384, semantic: false });
  });

  test('gives the same vectors everywhere, for ever: a change of them needs a new model name', async () => {
    const texts = ['Fix the login token refresh', 'naïve Café', '日本語の検索', '🚀', ''];
    const all = createHash('sha256');
    for (const text of texts) all.update(new Uint8Array((await vector(text)).buffer));
    expect(all.digest('hex')).toMatchInlineSnapshot(`"4b57671ba059193c390a12fbe67a9eabc8bc78337ae04db599b6e8b363ef8465"`);
  });

  test('any text has a vector of length 1', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 300 });
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 5 }), async (texts) => {
        const vectors = await embedder.embed(texts, 'document', signal);
        expect(vectors.length).toBe(texts.length);
        const wrong = vectors.filter((found) => found.length !== 384 || Math.abs(Math.hypot(...found) - 1) > 1e-5);
        expect(wrong.length).toBe(0);
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  test('sees forms of words, misspelt ones, accents and case; not meanings', async () => {
    expect(await similarity('database connection error', 'databse conection eror')).toBeGreaterThan(0.4);
    expect(await similarity('refresh the token', 'tokens are refreshed')).toBeGreaterThan(0.3);
    expect(await similarity('NAÏVE café', 'naive CAFE')).toBeCloseTo(1, 5);
    expect(await similarity('日本語の検索', '日本の検索')).toBeGreaterThan(0.4);
    expect(await similarity('automobile repair', 'fixing a car')).toBeLessThan(0.2);
  });

  test('a longer text than is embedded counts by its beginning', async () => {
    const start = 'word '.repeat(1600);
    expect(await similarity(`${start}unseen`, start)).toBeCloseTo(1, 6);
  });
});
