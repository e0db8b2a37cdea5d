import { rm } from 'node:fs/promises';
import type { TestProject } from 'vitest/node';
import { createRuntime } from '../../src/runtime.ts';
import { openRemoteDatabase } from '../../src/store/open-remote.ts';
import { startSqld } from './sqld.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Folder with the data of a server that has the tables and no rows; only in the project `server`. */
    serverTemplate?: string;
  }
}

/** Makes the data that each test's server begins with: making the tables takes ten times as long as the start. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startSqld();
  try {
    const db = await openRemoteDatabase({ url: server.url, runtime: createRuntime('silent') });
    await db.close();
    await server.crash();
    project.provide('serverTemplate', await server.copy());
  } finally {
    await server.stop();
  }
  return () => rm(project.getProvidedContext().serverTemplate ?? '', { recursive: true, force: true });
}
