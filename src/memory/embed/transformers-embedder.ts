import { basename, dirname, isAbsolute } from 'node:path';
import * as z from 'zod';
import { CancelledError } from '../../errors.ts';
import type { Embedder } from './embedder.ts';
import { EmbedderError } from './embedder-error.ts';
import { embeddedText } from './embedded-text.ts';
import { conventionsOf } from './model-conventions.ts';
import { unitVector } from './unit-vector.ts';

export interface TransformersOptions {
  /** A name such as `Xenova/all-MiniLM-L6-v2`, or the absolute path of a model's folder. */
  readonly model: string;
  /** Absolute path of the folder in which models lie by their names; default: the package's own folders. */
  readonly localPath?: string | undefined;
  /** Fetch the model from Hugging Face when it is not there; default `false`: nothing is downloaded. */
  readonly download?: boolean;
  /** Imports the package; default: `@huggingface/transformers` from where Skillflow is installed. */
  readonly load?: () => Promise<unknown>;
}

const PACKAGE: string = '@huggingface/transformers';
const MOST_TEXTS = 16;
/** Milliseconds that disposal waits for an inference, which cannot be stopped. */
const LAST_WAIT_MS = 2_000;

const anyFunction = <T>() => z.custom<T>((value) => typeof value === 'function');
const settings = z.custom<Record<string, unknown>>((value) => typeof value === 'object' && value !== null);

type Extractor = (
  texts: readonly string[],
  options: { readonly pooling: string; readonly normalize: boolean },
) => Promise<unknown>;

/** What is used of the package, versions 3 and 4; source: huggingface.co/docs/transformers.js/api/pipelines and /api/env. */
const packageShape = z.object({
  env: settings,
  pipeline: anyFunction<(task: string, model: string, options: { readonly local_files_only: boolean }) => Promise<unknown>>(),
});
const extractorShape = anyFunction<Extractor>();
const disposable = z.custom<{ dispose(): Promise<unknown> }>(
  (value) => typeof value === 'function' && 'dispose' in value && typeof value.dispose === 'function',
);
const tensor = z.object({
  dims: z.tuple([z.number(), z.number()]),
  data: z.custom<Float32Array>((value) => value instanceof Float32Array),
});

function isMissing(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND' && error.message.includes(`'${PACKAGE}'`)
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function notLoaded(error: unknown): EmbedderError {
  return isMissing(error)
    ? new EmbedderError(`${PACKAGE} is not installed`, {
        hint: `Run \`npm install ${PACKAGE}\` where Skillflow is installed, or choose another embedding provider.`,
        cause: error,
      })
    : new EmbedderError(`${PACKAGE} cannot be loaded: ${messageOf(error)}`, {
        hint: `Install version 3 or later of ${PACKAGE} for this platform.`,
        cause: error,
      });
}

/** The folder that models are looked for in, and the model's name in it. */
function place({ model, localPath }: TransformersOptions): { readonly folder: string | undefined; readonly name: string } {
  return isAbsolute(model) ? { folder: dirname(model), name: basename(model) } : { folder: localPath, name: model };
}

async function open(options: TransformersOptions, load: () => Promise<unknown>): Promise<Extractor> {
  const { download = false } = options;
  const { folder, name } = place(options);
  const loaded = await load().then(
    (module) => packageShape.safeParse(module),
    (error: unknown) => {
      throw notLoaded(error);
    },
  );
  if (!loaded.success) throw notLoaded(new Error('it has no pipeline', { cause: loaded.error }));
  const { env, pipeline } = loaded.data;
  env['allowRemoteModels'] = download;
  if (folder !== undefined) env['localModelPath'] = folder;
  try {
    return extractorShape.parse(await pipeline('feature-extraction', name, { local_files_only: !download }));
  } catch (error) {
    throw new EmbedderError(`the embedding model ${name} cannot be loaded: ${messageOf(error)}`, {
      hint: 'Put the model (config.json, tokenizer.json, onnx/model.onnx) into a folder, and give its path.',
      cause: error,
    });
  }
}

function rows(output: unknown, count: number, model: string): readonly Float32Array[] {
  const wrong = (what: string): EmbedderError =>
    new EmbedderError(`the embedding model ${model} gives ${what}`, { hint: 'Use a model for feature extraction.' });
  const parsed = tensor.safeParse(output);
  if (!parsed.success) throw wrong('no tensor of two dimensions');
  const { dims, data } = parsed.data;
  const [lines, width] = dims;
  if (lines !== count || data.length !== lines * width) throw wrong(`${lines} vectors for ${count} texts`);
  return Array.from({ length: count }, (_, line) => {
    const vector = unitVector(data.subarray(line * width, (line + 1) * width));
    if (typeof vector === 'string') throw wrong(`a vector with ${vector}`);
    return vector;
  });
}

/**
 * An embedder over a model that `@huggingface/transformers` runs in this process. The package is loaded by the first
 * text. Errors: `EmbedderError` that says what to install or where to put the model.
 */
export function createTransformersEmbedder(options: TransformersOptions): Embedder {
  const { load = () => import(PACKAGE) } = options;
  const { name } = place(options);
  const conventions = conventionsOf(name);
  let opening: Promise<Extractor> | undefined;
  let working: Promise<unknown> = Promise.resolve();
  let disposed = false;

  /** A model that could not be loaded is tried again by the next call. */
  const extractor = (): Promise<Extractor> => {
    opening ??= open(options, load).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  const infer = async (inputs: readonly string[]): Promise<unknown> => {
    const extract = await extractor();
    try {
      return await extract(inputs, { pooling: conventions.pooling, normalize: true });
    } catch (error) {
      throw new EmbedderError(`the embedding model ${name} failed: ${messageOf(error)}`, { fault: 'texts', cause: error });
    }
  };
  const embed: Embedder['embed'] = async (texts, use, signal) => {
    const vectors: Float32Array[] = [];
    for (let at = 0; at < texts.length; at += MOST_TEXTS) {
      if (signal.aborted || disposed) throw new CancelledError('embedding was cancelled');
      const inputs = texts.slice(at, at + MOST_TEXTS).map((text) => conventions[use] + embeddedText(text));
      const result = infer(inputs);
      working = Promise.allSettled([working, result]);
      vectors.push(...rows(await result, inputs.length, name));
    }
    return vectors;
  };
  const dispose = async (): Promise<void> => {
    if (disposed) return;
    disposed = true;
    if (opening === undefined) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), LAST_WAIT_MS).unref();
    });
    const idle = Promise.allSettled([opening, working]).then(() => 'idle' as const);
    const state = await Promise.race([idle, late]);
    clearTimeout(timer);
    if (state === 'late') return; // releasing a model that still works would crash the process
    const [settled] = await Promise.allSettled([opening]);
    const model = settled.status === 'fulfilled' ? disposable.safeParse(settled.value) : undefined;
    if (model?.success === true) await model.data.dispose();
  };
  return {
    provider: 'transformers',
    model: name,
    semantic: true,
    batchSize: MOST_TEXTS,
    embed,
    [Symbol.asyncDispose]: dispose,
  };
}
