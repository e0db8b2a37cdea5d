import { describe, expect, test } from 'vitest';
import { InvalidInputError } from '../../../src/errors.ts';
import { createEmbedder, type EmbeddingSettings } from '../../../src/memory/embed/create-embedder.ts';
import { testRuntime } from '../../store/scratch.ts';
import { startEmbeddingServer } from './embedding-server.ts';

const runtime = testRuntime();

describe('the embedder of some settings', () => {
  test('off is none', () => {
    expect(createEmbedder({ provider: 'off', url: 'http://x', model: 'm' }, runtime)).toBeNull();
  });

  test('lexical needs nothing', () => {
    expect(createEmbedder({ provider: 'lexical', url: null, model: null, dimensions: 0, key: null }, runtime)).toMatchObject({
      provider: 'lexical',
    });
  });

  test('openai asks the endpoint with what was set', async () => {
    await using server = await startEmbeddingServer();
    const settings: EmbeddingSettings = { provider: 'openai', url: ` ${server.baseUrl} `, model: 'm', dimensions: 6, key: 'k' };
    const [vector] = (await createEmbedder(settings, runtime)?.embed(['a'], 'document', new AbortController().signal)) ?? [];
    expect(vector).toHaveLength(6);
    expect(server.requests).toMatchObject([{ model: 'm', dimensions: 6, authorization: 'Bearer k' }]);
  });

  test('transformers takes a name or a path', () => {
    expect(createEmbedder({ provider: 'transformers', model: '/models/e5-small' }, runtime)).toMatchObject({ model: 'e5-small' });
    expect(createEmbedder({ provider: 'transformers', url: '/models', model: 'org/x' }, runtime)).toMatchObject({
      model: 'org/x',
    });
  });

  test.each<[EmbeddingSettings, string]>([
    [{ provider: 'openai', model: 'm' }, 'embeddingUrl'],
    [{ provider: 'openai', url: ' ', model: 'm' }, 'embeddingUrl'],
    [{ provider: 'openai', url: 'http://x' }, 'embeddingModel'],
    [{ provider: 'openai', url: 'x', model: 'm' }, 'embeddingUrl'],
    [{ provider: 'openai', url: 'http://x', model: 'm', dimensions: 1.5 }, 'embeddingDimensions'],
    [{ provider: 'openai', url: 'http://x', model: 'm', key: 'a b' }, 'embeddingKey'],
    [{ provider: 'transformers' }, 'embeddingModel'],
    [{ provider: 'transformers', model: 'm', url: 'models' }, 'embeddingUrl'],
  ])('%j: names %s', (settings, parameter) => {
    const make = (): unknown => createEmbedder(settings, runtime);
    expect(make).toThrow(InvalidInputError);
    expect(make).toThrow(expect.objectContaining({ details: { parameter }, hint: expect.any(String) }));
  });
});
