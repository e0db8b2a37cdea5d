import type { Content } from './backlog.ts';
import type { Embedder } from './embedder.ts';
import { EmbedderError } from './embedder-error.ts';
import { abortable } from './abortable.ts';
import { cutText } from './embedded-text.ts';
import type { ContentVector } from './spaces.ts';
import { InternalError } from '../../errors.ts';

export interface EmbedContents {
  readonly embedder: Embedder;
  readonly signal: AbortSignal;
  /** Keeps vectors as soon as they have come. */
  readonly keep: (vectors: readonly ContentVector[]) => Promise<void>;
  /** The embedder takes others, but not this one, however short. */
  readonly onRefused: (content: Content, error: EmbedderError) => void;
}

/** Characters to which a text is cut after it was refused on its own: most refusals are about length. */
const SHORTER = [2000, 400];

async function embedAs({ embedder, signal, keep }: EmbedContents, contents: readonly Content[]): Promise<void> {
  const texts = contents.map(({ text }) => text);
  const vectors = await abortable(embedder.embed(texts, 'document', signal), signal);
  if (vectors.length !== contents.length) {
    throw new InternalError(`the embedder ${embedder.provider} gave ${vectors.length} vectors for ${contents.length} texts`);
  }
  await keep(
    contents.flatMap(({ hash }, at) => {
      const vector = vectors[at];
      return vector === undefined ? [] : [{ hash, vector }];
    }),
  );
}

function refusalOf(error: unknown): EmbedderError {
  if (error instanceof EmbedderError && error.fault === 'texts') return error;
  throw error;
}

async function embedOne(deps: EmbedContents, { hash, text }: Content): Promise<void> {
  let refusal: EmbedderError | undefined;
  for (const characters of [Infinity, ...SHORTER]) {
    if (refusal !== undefined && text.length <= characters) continue;
    try {
      await embedAs(deps, [{ hash, text: cutText(text, characters) }]);
      return;
    } catch (error) {
      refusal = refusalOf(error);
    }
  }
  if (refusal !== undefined) deps.onRefused({ hash, text }, refusal);
}

/**
 * Embeds contents and keeps their vectors. When the embedder refuses the texts, halves of them are tried, so that one
 * text that it cannot take stops no other. Errors: those of {@link Embedder.embed} that are not about texts.
 */
export async function embedContents(deps: EmbedContents, contents: readonly Content[]): Promise<void> {
  const [first] = contents;
  if (first === undefined) return;
  if (contents.length === 1) {
    await embedOne(deps, first);
    return;
  }
  try {
    await embedAs(deps, contents);
  } catch (error) {
    refusalOf(error);
    const middle = contents.length >> 1;
    await embedContents(deps, contents.slice(0, middle));
    await embedContents(deps, contents.slice(middle));
  }
}
