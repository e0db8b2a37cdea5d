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

/** Data for servers to begin with: making the tables takes ten times as long as the start. */
export interface ServerTemplate {
  /** For `startSqld`. */
  readonly folder: string;
  remove(): Promise<void>;
}

export async function createServerTemplate(): Promise<ServerTemplate> {
  const server = await startSqld();
  try {
    const db = await openRemoteDatabase({ url: server.url, runtime: createRuntime('silent') });
    await db.close();
    await server.crash();
    const folder = await server.copy();
    return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
  } finally {
    await server.stop();
  }
}

/** For the project `server`, where each test has a server of its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const template = await createServerTemplate();
  project.provide('serverTemplate', template.folder);
  return () => template.remove();
}
