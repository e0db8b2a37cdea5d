import type { Config } from '../config.ts';
import type { Runtime } from '../runtime.ts';

export interface CreateAppOptions {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly version: string;
  /** Folder of the package; its `skills` are the last resort. */
  readonly packageDir: string;
  /** The bundled analysis worker; `null` analyzes in this thread. */
  readonly workerUrl: URL | null;
  /** The bundled worker of the vector index; `null`: it runs in this thread. */
  readonly vectorWorkerUrl: URL | null;
}
