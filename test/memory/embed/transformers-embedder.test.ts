import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { CancelledError } from '../../../src/errors.ts';
import type { Embedder } from '../../../src/memory/embed/embedder.ts';
import { EmbedderError } from '../../../src/memory/embed/embedder-error.ts';
import { createTransformersEmbedder, type TransformersOptions } from '../../../src/memory/embed/transformers-embedder.ts';
import { useScratch } from '../../store/scratch.ts';

/**
 * A package of the shape of `@huggingface/transformers`: models are files of settings under `env.localModelPath`, tensors
 * have `dims` and `data`, and what happens is noted in a file.
 */
const PACKAGE = `
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
const log = (line) => appendFileSync(new URL('log.txt', import.meta.url), line + '\\n');
log('loaded');
export const env = { allowRemoteModels: true, localModelPath: '/nowhere', backends: { onnx: {} } };
export async function pipeline(task, model, options) {
  log([task, model, env.allowRemoteModels, options.local_files_only].join(' '));
  const { width = 4, mode = 'honest' } = JSON.parse(readFileSync(join(env.localModelPath, model, 'config.json'), 'utf8'));
  const extract = async (texts, { pooling, normalize }) => {
    log(['extract', texts.length, texts[0], pooling, normalize].join(' '));
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (mode === 'throws') throw new Error('out of memory');
    const data = new Float32Array(texts.length * width);
    for (const [line, text] of texts.entries()) {
      for (let at = 0; at < width; at += 1) data[line * width + at] = mode === 'zero' ? 0 : text.length + at;
    }
    if (mode === 'tokens') return { dims: [texts.length, 3, width], data, type: 'float32' };
    if (mode === 'few') return { dims: [texts.length - 1, width], data, type: 'float32' };
    return { dims: [texts.length, width], data, type: 'float32' };
  };
  return Object.assign(extract, { dispose: async () => log('disposed') });
}
`;

const scratch = useScratch();
const { signal } = new AbortController();
let folder: string;
let load: () => Promise<unknown>;

beforeEach(async () => {
  folder = await scratch.folder();
  const path = join(folder, 'package.mjs');
  await writeFile(path, PACKAGE);
  load = () => import(pathToFileURL(path).href);
});

async function model(name: string, config: object = {}): Promise<string> {
  const path = join(folder, 'models', name);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'config.json'), JSON.stringify(config));
  return path;
}

const log = async (): Promise<readonly string[]> => (await readFile(join(folder, 'log.txt'), 'utf8')).split('\n').slice(0, -1);

function embedder(options: Partial<TransformersOptions> = {}): Embedder {
  const made = createTransformersEmbedder({ model: 'org/mini', localPath: join(folder, 'models'), load, ...options });
  scratch.onCleanUp(async () => made[Symbol.asyncDispose]());
  return made;
}

describe('a model that lies here', () => {
  test('is loaded once, by the first text, and never looked for elsewhere', async () => {
    await model('org/mini');
    const mini = embedder();
    expect(mini).toMatchObject({ provider: 'transformers', model: 'org/mini', semantic: true });
    const [first, second] = await mini.embed(['a', 'bcd'], 'document', signal);
    await mini.embed(['e'], 'query', signal);
    const size = Math.hypot(1, 2, 3, 4);
    expect([...(first ?? [])]).toEqual([1, 2, 3, 4].map((value) => Math.fround(value / size)));
    expect(second?.[0]).toBeCloseTo(3 / Math.hypot(3, 4, 5, 6), 6);
    await mini[Symbol.asyncDispose]();
    expect(await log()).toEqual([
      'loaded',
      'feature-extraction org/mini false true',
      'extract 2 a mean true',
      'extract 1 e mean true',
      'disposed',
    ]);
  });

  test('may be named by its path; a known family gets its prefixes and its pooling', async () => {
    const path = await model('bge-small-en-v1.5');
    const bge = embedder({ model: path, localPath: undefined });
    expect(bge.model).toBe('bge-small-en-v1.5');
    await bge.embed(['a'], 'query', signal);
    expect((await log())[2]).toBe('extract 1 Represent this sentence for searching relevant passages: a cls true');
  });

  test('is only downloaded when that is asked for', async () => {
    await model('org/mini');
    await embedder({ download: true }).embed(['a'], 'document', signal);
    expect((await log())[1]).toBe('feature-extraction org/mini true false');
  });

  test('works in groups of 16, and stops between them', async () => {
    await model('org/mini');
    const stop = new AbortController();
    const mini = embedder();
    expect(
      await mini.embed(
        Array.from({ length: 40 }, () => 'a'),
        'document',
        signal,
      ),
    ).toHaveLength(40);
    const work = mini.embed(
      Array.from({ length: 40 }, () => 'a'),
      'document',
      stop.signal,
    );
    stop.abort();
    await expect(work).rejects.toThrow(CancelledError);
    expect((await log()).filter((line) => line.startsWith('extract'))).toHaveLength(4);
  });

  test('is let go only after its last text', async () => {
    await model('org/mini');
    const mini = embedder();
    const work = mini.embed(['a'], 'document', signal);
    await mini.embed(['b'], 'document', signal);
    const last = mini.embed(['c'], 'document', signal);
    await mini[Symbol.asyncDispose]();
    expect((await Promise.all([work, last])).flat()).toHaveLength(2);
    expect((await log()).at(-1)).toBe('disposed');
  });
});

describe('says what to do', () => {
  const failure = async (made: Embedder): Promise<EmbedderError> => {
    const error: unknown = await made.embed(['a', 'b'], 'document', signal).catch((thrown: unknown) => thrown);
    if (!(error instanceof EmbedderError)) throw new Error(`no EmbedderError: ${String(error)}`);
    return error;
  };

  test('when the package is not installed', async () => {
    const path = join(folder, 'absent.mjs'); // Node's own import, far from any node_modules
    await writeFile(path, "await import('@huggingface/transformers');");
    const error = await failure(embedder({ load: () => import(pathToFileURL(path).href) }));
    expect(error.message).toBe('@huggingface/transformers is not installed');
    expect(error.hint).toMatch(/npm install @huggingface\/transformers/);
  });

  test('when it is broken, or something else', async () => {
    await writeFile(join(folder, 'broken.mjs'), "import 'onnxruntime-not-there';");
    const broken = await failure(embedder({ load: () => import(pathToFileURL(join(folder, 'broken.mjs')).href) }));
    expect(broken.message).toMatch(/cannot be loaded: .*onnxruntime-not-there/);
    expect((await failure(embedder({ load: async () => ({}) }))).message).toMatch(/cannot be loaded: it has no pipeline/);
  });

  test('when the model is not there; once it is, it is used', async () => {
    const mini = embedder();
    const error = await failure(mini);
    expect(error.message).toMatch(/^the embedding model org\/mini cannot be loaded: .*no such file/);
    expect(error.hint).toMatch(/onnx/);
    await model('org/mini');
    expect(await mini.embed(['a'], 'document', signal)).toHaveLength(1);
  });

  test.each([
    ['zero', /a vector with only zeros$/],
    ['tokens', /no tensor of two dimensions$/],
    ['few', /1 vectors for 2 texts$/],
    ['throws', /failed: out of memory$/],
  ])('when the model gives nonsense: %s', async (mode, message) => {
    await model('org/mini', { mode });
    expect((await failure(embedder())).message).toMatch(message);
  });
});
