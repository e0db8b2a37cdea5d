import { dirname, join } from 'node:path';
import { UnavailableError, toSkillflowError } from '../errors.ts';
import type { Embedder } from '../memory/embed/embedder.ts';
import type { Memory } from '../memory/memory.ts';
import type { Access, App } from '../tools/tool.ts';
import { once } from './closing.ts';
import type { Closing } from './closing.ts';
import type { Databases } from './databases.ts';
import type { CreateAppOptions } from './options.ts';

const PROBE_MS = 5000;

export interface MemoryParts extends Pick<App, 'memory' | 'care' | 'embeddings' | 'probeEmbedder' | 'vectors'> {
  /** For when something was stored by a process that stays: makes missing vectors in the background. Never rejects. */
  readonly stored: () => Promise<void>;
}

/** The memory with its search, vectors and care, each made on first use and kept. */
export function createMemoryParts(options: CreateAppOptions, databases: Databases, closing: Closing): MemoryParts {
  const { config, runtime, vectorWorkerUrl } = options;
  const read = () => databases.open('read');
  const embedder = async (): Promise<Embedder | null> => {
    const { createEmbedder } = await import('../memory/embed/create-embedder.ts');
    const settings = {
      provider: config.embedding,
      url: config.embeddingUrl ?? undefined,
      model: config.embeddingModel ?? undefined,
      dimensions: config.embeddingDimensions === 0 ? undefined : config.embeddingDimensions,
      key: config.embeddingKey?.reveal(),
    };
    return createEmbedder(settings, runtime);
  };
  const embeddings = once(async () => {
    const { createEmbeddings } = await import('../memory/embed/create-embeddings.ts');
    return closing.add(createEmbeddings({ open: read, runtime, embedder: await embedder() }));
  });
  const vectors = once(async () => {
    const { createVectorSearch } = await import('../memory/vector/create-vector-search.ts');
    return closing.add(
      createVectorSearch({
        open: read,
        runtime,
        embeddings: await embeddings(),
        folder: join(dirname(config.databasePath), 'vectors'),
        workerUrl: vectorWorkerUrl,
      }),
    );
  });
  const search = once(async () => {
    const { createSearch } = await import('../memory/search/search.ts');
    // Whether the embedder sees meanings is known without loading it.
    const semantic = config.embedding !== 'lexical';
    return createSearch({
      open: read,
      runtime,
      ...(config.embedding === 'off' ? {} : { vectors: { semantic, search: vectors } }),
    });
  });
  const create = (access: Access) => async (): Promise<Memory> => {
    const { createMemory } = await import('../memory/memory.ts');
    return createMemory({
      open: () => databases.open(access),
      runtime,
      search: async (input) => (await search()).search(input),
    });
  };
  // What they have read they keep, so there is one for each kind of access.
  const memories = { read: once(create('read')), write: once(create('write')) };
  return {
    memory: (access) => memories[access](),
    care: async () => {
      const { createCare } = await import('../memory/care/create-care.ts');
      const { projectRoot, databasePath, databaseKey } = config;
      return createCare({ open: databases.open, runtime, projectRoot, databasePath, key: databaseKey?.reveal() });
    },
    embeddings,
    probeEmbedder: async (signal) => {
      await using probed = await embedder();
      const limit = AbortSignal.timeout(PROBE_MS);
      try {
        await probed?.embed(['health'], 'query', AbortSignal.any([signal, limit]));
      } catch (error) {
        if (!limit.aborted) throw error;
        throw new UnavailableError(`the embedder did not answer within ${PROBE_MS / 1000} s`, { cause: error, retryable: true });
      }
    },
    vectors,
    stored: async () => {
      if (config.embedding === 'off' || config.readOnly) return;
      try {
        (await embeddings()).wake();
      } catch (error) {
        // What was stored is stored; a search says the same to its caller.
        runtime.log('warn', `nothing is embedded: ${toSkillflowError(error).message}`);
      }
    },
  };
}
