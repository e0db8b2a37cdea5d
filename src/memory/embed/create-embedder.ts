import { isAbsolute } from 'node:path';
import { InvalidInputError } from '../../errors.ts';
import type { Runtime } from '../../runtime.ts';
import type { Embedder } from './embedder.ts';
import { createEndpointEmbedder } from './endpoint-embedder.ts';
import { createLexicalEmbedder } from './lexical-embedder.ts';
import { createTransformersEmbedder } from './transformers-embedder.ts';

/** Which embedder is used. `null`, blank text and 0 count as not given. */
export interface EmbeddingSettings {
  /** `openai`: any endpoint that speaks its protocol. */
  readonly provider: 'off' | 'lexical' | 'openai' | 'transformers';
  /** For `openai`: what comes before `/embeddings`. For `transformers`: absolute path of the folder that holds models. */
  readonly url?: string | null | undefined;
  /** For `openai`: its name there. For `transformers`: its name, or the absolute path of its folder. */
  readonly model?: string | null | undefined;
  /** For `openai`: asked of the model; 1 to 16,384. */
  readonly dimensions?: number | null | undefined;
  /** For `openai`: sent as a bearer token. */
  readonly key?: string | null | undefined;
}

function given(text: string | null | undefined): string | undefined {
  const trimmed = text?.trim() ?? '';
  return trimmed === '' ? undefined : trimmed;
}

function missing(setting: string, provider: string, hint: string): InvalidInputError {
  return new InvalidInputError(`the embedding provider ${provider} needs ${setting}`, { hint, details: { parameter: setting } });
}

function endpoint(settings: EmbeddingSettings, runtime: Runtime, fetch: typeof globalThis.fetch): Embedder {
  const baseUrl = given(settings.url);
  const model = given(settings.model);
  const dimensions = settings.dimensions === 0 ? undefined : (settings.dimensions ?? undefined);
  if (baseUrl === undefined) {
    throw missing('embeddingUrl', 'openai', 'Set it to the base of an endpoint, e.g. http://localhost:11434/v1.');
  }
  if (model === undefined) throw missing('embeddingModel', 'openai', 'Set it to the name of a model, e.g. nomic-embed-text.');
  if (dimensions !== undefined && !(Number.isInteger(dimensions) && dimensions >= 1 && dimensions <= 16_384)) {
    throw new InvalidInputError(`embeddingDimensions is ${dimensions}; expected a whole number from 1 to 16384`, {
      hint: 'Leave it out to take what the model gives.',
      details: { parameter: 'embeddingDimensions' },
    });
  }
  return createEndpointEmbedder({ baseUrl, model, dimensions, apiKey: given(settings.key), fetch, runtime });
}

function transformers(settings: EmbeddingSettings): Embedder {
  const localPath = given(settings.url);
  const model = given(settings.model);
  if (model === undefined) {
    throw missing('embeddingModel', 'transformers', "Set it to a model's name, or to the absolute path of its folder.");
  }
  if (localPath !== undefined && !isAbsolute(localPath)) {
    throw new InvalidInputError(`embeddingUrl is ${localPath}; the provider transformers expects an absolute path`, {
      hint: 'Set it to the folder in which models lie by their names, or leave it out.',
      details: { parameter: 'embeddingUrl' },
    });
  }
  return createTransformersEmbedder({ model, localPath });
}

/** The embedder of some settings; `null`: off. Throws `InvalidInputError` that names the setting. */
export function createEmbedder(
  settings: EmbeddingSettings,
  runtime: Runtime,
  fetch: typeof globalThis.fetch = globalThis.fetch,
): Embedder | null {
  switch (settings.provider) {
    case 'off':
      return null;
    case 'lexical':
      return createLexicalEmbedder();
    case 'openai':
      return endpoint(settings, runtime, fetch);
    case 'transformers':
      return transformers(settings);
    default:
      throw new InvalidInputError(`unknown embedding provider ${String(settings.provider)}`, {
        hint: 'Use off, lexical, openai or transformers.',
      });
  }
}
